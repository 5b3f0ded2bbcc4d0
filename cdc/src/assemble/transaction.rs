use pgoutput::Lsn;

/// A committed transaction on its way to the sink.
#[derive(Debug, Clone, Copy)]
pub(super) struct Transaction {
    pub(super) commit_lsn: Lsn,
    pub(super) xid: u32,
    pub(super) commit_micros: i64,
    /// Position of the first change that pgoutput sent.
    pub(super) first_lsn: Lsn,
    /// Ordinal of the next change message.
    pub(super) next_ordinal: u64,
    /// Something of it reached the sink.
    pub(super) written: bool,
    /// The place of its BEGIN record has gone by.
    pub(super) begun: bool,
}

impl Transaction {
    pub(super) const fn new(commit_lsn: Lsn, xid: u32, commit_micros: i64, first_lsn: Lsn) -> Self {
        Self {
            commit_lsn,
            xid,
            commit_micros,
            first_lsn,
            next_ordinal: 0,
            written: false,
            begun: false,
        }
    }

    /// Change messages that are not emitted.
    pub(super) const fn skip(&mut self, count: u64) {
        self.next_ordinal += count;
    }
}
