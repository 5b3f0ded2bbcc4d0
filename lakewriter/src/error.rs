//! The kinds of lakewriter's errors: what each does to the process, and what to do about it.

use service::Disposition;

/// What kind of thing went wrong; decides what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A setting is missing or wrong.
    Configuration,
    /// The object store or local disk did not do what was asked, and a retry may cure it.
    Storage,
    /// The object store refused who we are or what we may do.
    Permission,
    /// The object store ignores `If-None-Match`: two writers could both believe they committed.
    UnsafeStore,
    /// A lake table does not look as this program left it.
    Table,
    /// Another process writes for the same pipeline: what was buffered here is void.
    Fenced,
    /// Kafka cannot be reached or did not answer, and a retry may cure it.
    Kafka,
    /// Offsets that the lake has not seen are no longer in the topic, or the topic ends before what the lake has seen.
    OffsetsLost,
    /// A change that cannot become a row, and that cannot be set aside as a dead letter.
    Encode,
    /// What cannot happen has happened: going on could lose a row behind a green light.
    Defect,
}

impl service::ErrorKind for ErrorKind {
    fn disposition(self) -> Disposition {
        match self {
            Self::Storage | Self::Fenced | Self::Kafka => Disposition::Retry,
            Self::Configuration
            | Self::Permission
            | Self::UnsafeStore
            | Self::Table
            | Self::OffsetsLost
            | Self::Encode
            | Self::Defect => Disposition::Halt,
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::Configuration => "correct the named setting and start again",
            Self::Storage => {
                "check that the object store answers and has room; writing goes on from the last commit by itself"
            }
            Self::Permission => {
                "check the access key and its policy: lakewriter lists, reads, writes and deletes under its root"
            }
            Self::UnsafeStore => {
                "use a store that answers 412 to a second `PUT` with `If-None-Match: *` (S3, MinIO, a local disk)"
            }
            Self::Table => {
                "nothing was changed; compare the table with its last commits, or move it away to start it anew"
            }
            Self::Fenced => "run one process per pipeline name and partition",
            Self::Kafka => {
                "check the bootstrap servers; nothing was lost, reading goes on by itself"
            }
            Self::OffsetsLost => {
                "records are gone from the topic: restore it, or move the lake table away and take a new snapshot"
            }
            Self::Encode => "see the named table and column; nothing after it was committed",
            Self::Defect => {
                "a defect of this program: nothing after the named position was committed, and a restart goes on from there; report it with the log"
            }
        }
    }
}

/// What was attempted, on what, and why it failed.
pub type Error = service::Error<ErrorKind>;

/// An invariant that does not hold, and where.
pub(crate) fn defect(invariant: &str, position: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Defect,
        format!("go on at {position}: the invariant does not hold that {invariant}"),
    )
}

/// A task that panicked, or that was ended though nobody ends it: what it did is unknown.
pub(crate) fn task_ended(attempted: impl Into<String>, error: tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Defect, attempted).with_source(error)
}

/// S3's code for a bucket that is not there, in the body of its answer.
const NO_BUCKET: &str = "<Code>NoSuchBucket</Code>";

/// An object store's error: permission problems and a bucket that is not there halt, the rest may be retried.
pub(crate) fn storage_error(attempted: impl Into<String>, source: object_store::Error) -> Error {
    if let Some(told) = no_bucket(&source) {
        return Error::new(ErrorKind::Configuration, attempted)
            .with_source(told)
            .with_hint("make it with `tributary bucket create`, or correct lake.url");
    }
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other errors of the object store are alike here"
    )]
    let kind = match source {
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. } => ErrorKind::Permission,
        _ => ErrorKind::Storage,
    };
    Error::new(kind, attempted).with_source(source)
}

/// What an answer says of a bucket that is not there; it is a document in XML.
fn no_bucket(error: &object_store::Error) -> Option<String> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if text.contains(NO_BUCKET) {
            let name = text
                .split_once("<BucketName>")
                .and_then(|(_, rest)| rest.split_once("</BucketName>"));
            return Some(match name {
                Some((name, _)) => format!("there is no bucket `{name}`"),
                None => "there is no such bucket".to_owned(),
            });
        }
        next = error.source();
    }
    None
}

/// An error of the Delta library.
pub(crate) fn delta_error(
    attempted: impl Into<String>,
    source: deltalake_core::DeltaTableError,
) -> Error {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other errors of the Delta library are alike here"
    )]
    match source {
        deltalake_core::DeltaTableError::ObjectStore { source } => storage_error(attempted, source),
        other => Error::new(ErrorKind::Storage, attempted).with_source(other),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_bucket_that_is_not_there_is_told_without_xml() {
        let source = object_store::Error::NotFound {
            path: "x".to_owned(),
            source: "<Error><Code>NoSuchBucket</Code><BucketName>lakes</BucketName></Error>".into(),
        };
        let error = super::storage_error("test conditional PUT", source);
        let text = service::render_error(&error, Some(error.hint()));
        assert_eq!(error.kind(), super::ErrorKind::Configuration);
        assert!(
            text.contains("there is no bucket `lakes`") && text.contains("tributary bucket create"),
            "{text}"
        );
        assert!(!text.contains('<'), "{text}");
    }

    use service::ErrorKind as _;

    use super::*;

    #[test]
    fn only_what_a_retry_may_cure_is_retried() {
        for (kind, want) in [
            (ErrorKind::Configuration, Disposition::Halt),
            (ErrorKind::Storage, Disposition::Retry),
            (ErrorKind::Permission, Disposition::Halt),
            (ErrorKind::UnsafeStore, Disposition::Halt),
            (ErrorKind::Table, Disposition::Halt),
            (ErrorKind::Fenced, Disposition::Retry),
            (ErrorKind::Kafka, Disposition::Retry),
            (ErrorKind::OffsetsLost, Disposition::Halt),
            (ErrorKind::Encode, Disposition::Halt),
            (ErrorKind::Defect, Disposition::Halt),
        ] {
            assert_eq!(kind.disposition(), want, "{kind:?}");
            assert!(!kind.hint().is_empty());
        }
    }
}
