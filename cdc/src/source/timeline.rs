//! Timelines: PostgreSQL manual, "Continuous Archiving and Point-in-Time Recovery". A server that was promoted or
//! restored writes on a timeline of its own, from the LSN at which it left the older one.

use pgoutput::Lsn;

use super::{connection::ReplicationConnection, slot::SystemIdentity};
use crate::{Error, ErrorKind};

/// Where the server's history left a timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// It did not: the server is on it.
    Never,
    At(Lsn),
    /// The server's history was never on it.
    Unknown,
}

/// Where the server's history left `timeline`.
///
/// # Errors
/// The server does not tell.
pub async fn left(
    connection: &mut ReplicationConnection,
    system: &SystemIdentity,
    timeline: u32,
) -> Result<Left, Error> {
    if system.timeline == timeline {
        return Ok(Left::Never);
    }
    // The first timeline has no history file, and no timeline before it.
    if system.timeline == 1 {
        return Ok(Left::Unknown);
    }
    let command = format!("TIMELINE_HISTORY {}", system.timeline);
    let rows = connection.simple_query(&command).await?;
    let history = rows
        .first()
        .and_then(|row| row.get(1))
        .and_then(Option::as_deref);
    let history = history.ok_or_else(|| {
        Error::new(
            ErrorKind::Protocol,
            format!("run `{command}`: the answer has no content"),
        )
    })?;
    Ok(left_in(history, timeline))
}

/// A line for each timeline of the history: its number, where it was left, why. Some lines are empty or comments.
fn left_in(history: &str, timeline: u32) -> Left {
    let mut lines = history.lines().map(str::split_whitespace);
    let found = lines.find_map(|mut line| {
        let number: u32 = line.next()?.parse().ok()?;
        let at: Lsn = line.next()?.parse().ok()?;
        (number == timeline).then_some(at)
    });
    found.map_or(Left::Unknown, Left::At)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_tells_where_each_timeline_was_left() {
        let history = "1\t0/3000158\tno recovery target specified\n\n# a comment\n2\t1/4000000\tbefore 2000-01-01\n";
        assert_eq!(left_in(history, 1), Left::At(Lsn(0x0300_0158)));
        assert_eq!(left_in(history, 2), Left::At(Lsn(0x0001_0400_0000)));
        assert_eq!(left_in(history, 3), Left::Unknown);
        assert_eq!(left_in("", 1), Left::Unknown);
    }
}
