use pgoutput::Lsn;

use crate::{Error, ErrorKind, checkpoint::Resume, source::slot::SystemIdentity};

/// The first version whose standbys decode.
const DECODING_STANDBY_VERSION: u32 = 160_000;

/// Whether a standby can be read by now. None of what it lacks is a loss: it is about to be promoted, or has to replay
/// what it received. So nothing is concluded from a standby, whose slots and WAL end are not yet what they will be.
///
/// # Errors
/// `Connection`, which is tried again: the standby is of a version that decodes nothing before it is promoted, or has not
/// replayed everything up to the stored position.
pub fn verify_standby(
    name: &str,
    system: &SystemIdentity,
    version: u32,
    resume: Option<&Resume>,
) -> Result<(), Error> {
    if !system.is_standby {
        return Ok(());
    }
    if version < DECODING_STANDBY_VERSION {
        return Err(Error::new(
            ErrorKind::Connection,
            format!(
                "stream from replication slot `{name}`: the server is a standby, and PostgreSQL {} decodes changes on primaries only",
                version / 10_000
            ),
        )
        .with_hint("promote the standby, or connect to the primary"));
    }
    let stored = resume.map(|resume| {
        let end = resume.end_lsn.unwrap_or_default();
        Lsn(end.max(resume.position.commit_lsn))
    });
    match stored {
        Some(stored) if stored > system.wal_end => Err(Error::new(
            ErrorKind::Connection,
            format!(
                "go on from the stored position at {stored}: the server is a standby that has the WAL up to {} only",
                system.wal_end
            ),
        )
        .with_hint("wait until the standby has replayed it; where its primary is gone, promote the standby: then the connector goes on, or says what is missing")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use debezium::ChangePosition;

    use super::*;

    #[test]
    fn a_standby_is_waited_for_until_it_is_promoted_or_has_replayed_enough() {
        let resume = Resume {
            position: ChangePosition::new(560, 3),
            end_lsn: Some(600),
            ..Resume::default()
        };
        for (is_standby, version, wal_end, want) in [
            (false, 150_000, 100, None),
            (
                true,
                150_000,
                700,
                Some("decodes changes on primaries only"),
            ),
            (
                true,
                160_000,
                599,
                Some("at 0/258: the server is a standby that has the WAL up to 0/257"),
            ),
            (true, 160_000, 600, None),
        ] {
            let system = SystemIdentity {
                system_id: "7".to_owned(),
                timeline: 1,
                wal_end: Lsn(wal_end),
                is_standby,
            };
            let found = verify_standby("s", &system, version, Some(&resume)).err();
            assert_eq!(found.is_some(), want.is_some(), "{found:?}");
            if let (Some(error), Some(want)) = (found, want) {
                assert_eq!(error.kind(), ErrorKind::Connection);
                assert!(error.to_string().contains(want), "{error}");
                assert!(error.hint().contains("promote"), "{}", error.hint());
            }
        }
    }
}
