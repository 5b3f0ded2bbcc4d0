use crate::{Lsn, PgTimestamp};

/// Feedback to the walsender; PostgreSQL manual, "Standby status update".
///
/// `flushed` becomes the slot's `confirmed_flush_lsn`: the server may then discard the WAL before it, and never
/// sends again a transaction that committed before it. The manual asks for "last WAL byte + 1", which is what
/// `Commit::end_lsn` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandbyStatusUpdate {
    /// Received up to here.
    pub written: Lsn,
    /// Durable up to here.
    pub flushed: Lsn,
    /// Visible to readers up to here; only shown in `pg_stat_replication`.
    pub applied: Lsn,
    /// Our clock.
    pub sent_at: PgTimestamp,
    /// Asks the server to answer at once with a keepalive.
    pub reply_requested: bool,
}

impl StandbyStatusUpdate {
    /// Appends the payload of a CopyData frame: 34 bytes, without the frame's own type and length.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(b'r');
        for lsn in [self.written, self.flushed, self.applied] {
            out.extend_from_slice(&lsn.0.to_be_bytes());
        }
        out.extend_from_slice(&self.sent_at.0.to_be_bytes());
        out.push(u8::from(self.reply_requested));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_is_type_three_positions_clock_and_request() {
        let mut out = b"before".to_vec();
        StandbyStatusUpdate {
            written: Lsn(0x0102_0304_0506_0708),
            flushed: Lsn(2),
            applied: Lsn(3),
            sent_at: PgTimestamp(-2),
            reply_requested: true,
        }
        .encode(&mut out);
        assert_eq!(
            out,
            b"beforer\x01\x02\x03\x04\x05\x06\x07\x08\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03\
              \xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFE\x01"
        );
    }
}
