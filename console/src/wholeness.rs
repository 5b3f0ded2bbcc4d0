//! Whether a snapshot is in the log as a whole, as far as the log itself tells.

use std::cmp::Ordering;

use lakewriter::lake::ToldRows;

use crate::{kept::SourceLog, tables::Boxed};

/// Whether a snapshot's rows are all in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wholeness {
    /// They are.
    Whole,
    /// The last one has not come.
    More,
    /// The last one has come; of all rows some have not.
    Lacking { of: u64, there: u64 },
    /// Nothing tells: the rows are of a connector that does not count them.
    Untold,
}

impl SourceLog {
    /// Whether all rows of this snapshot are in the log, as far as the log itself tells.
    ///
    /// # Errors
    /// It cannot be read, or contradicts itself.
    pub async fn wholeness(&self, snapshot: (i64, i64)) -> std::result::Result<Wholeness, Boxed> {
        let configuration = self.delta.snapshot()?.metadata().configuration();
        let get = |key: &str| configuration.get(key).map(String::as_str);
        let of = match ToldRows::of(get, snapshot) {
            ToldRows::More => return Ok(Wholeness::More),
            ToldRows::Nothing => {
                let in_parts = self.log.snapshot_rows(snapshot, true)?.limit(0, Some(1))?;
                return Ok(match in_parts.count().await? {
                    0 => Wholeness::Whole,
                    _ => Wholeness::Untold,
                });
            }
            ToldRows::Whole(of) => of,
        };
        let there = self.log.snapshot_rows(snapshot, false)?.count().await? as u64;
        match there.cmp(&of) {
            Ordering::Equal => Ok(Wholeness::Whole),
            Ordering::Less => Ok(Wholeness::Lacking { of, there }),
            Ordering::Greater => {
                let (incarnation, lsn) = snapshot;
                let name = &self.log.name;
                Err(format!("a snapshot has no more rows than were counted: that of {name} at {incarnation}:{lsn} was counted as {of} and has {there}").into())
            }
        }
    }
}
