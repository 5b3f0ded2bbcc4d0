use bytes::Bytes;

/// Rows that a transaction writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// New tweets.
    pub inserted: u64,
    /// Changes of tweets and users.
    pub updated: u64,
    /// Deleted tweets.
    pub deleted: u64,
    /// New users; they come with the tweets and are not counted as changes.
    pub users: u64,
}

impl Tally {
    /// What `--count` counts.
    pub const fn changes(&self) -> u64 {
        self.inserted + self.updated + self.deleted
    }
}

/// Everything that one transaction sends. It can be sent again after a lost connection: see
/// [`evidence`](Self::evidence).
#[derive(Debug)]
pub struct Transaction {
    /// Statements before the COPY; all statements where there is none.
    before: String,
    /// Lines of tweets.
    copy: Option<Bytes>,
    /// Statements after the COPY.
    after: String,
    evidence: Option<i64>,
    tally: Tally,
}

impl Transaction {
    pub(super) fn new(
        before: Vec<u8>,
        copy: Option<Bytes>,
        after: Vec<u8>,
        evidence: Option<i64>,
        tally: Tally,
    ) -> Self {
        // Built from text only; were it not, PostgreSQL would refuse the mended statement.
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
        };
        let (mut before, mut after) = (text(before), text(after));
        if copy.is_none() {
            before.push_str(&after);
            after.clear();
        }
        Self {
            before,
            copy,
            after,
            evidence,
            tally,
        }
    }

    pub fn before(&self) -> &str {
        &self.before
    }

    pub const fn copy(&self) -> Option<&Bytes> {
        self.copy.as_ref()
    }

    pub fn after(&self) -> &str {
        &self.after
    }

    /// The id of a tweet that is in the table exactly if this transaction was committed. None where nothing was
    /// inserted (or all of it deleted again): such a transaction writes absolute values and may simply be repeated.
    pub const fn evidence(&self) -> Option<i64> {
        self.evidence
    }

    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// The buffer of the COPY, for the next batch.
    pub fn into_buffer(self) -> Vec<u8> {
        self.copy.map(Vec::from).unwrap_or_default()
    }
}
