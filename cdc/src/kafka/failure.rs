//! What librdkafka's errors mean for a connector.

use rdkafka::{error::KafkaError, types::RDKafkaErrorCode};
use service::kafka::{KafkaRefusal, RefusalKind};

use crate::{Error, ErrorKind};

/// The kind of a code that a broker or the client gave.
pub(super) fn kind_of(code: RDKafkaErrorCode) -> ErrorKind {
    use RDKafkaErrorCode as Code;
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other codes of librdkafka are alike here"
    )]
    match code {
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch => ErrorKind::Fenced,
        Code::TopicAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed
        | Code::SaslAuthenticationFailed
        | Code::Authentication => ErrorKind::Permission,
        Code::InvalidArgument
        | Code::InvalidPartitions
        | Code::InvalidReplicationFactor
        | Code::InvalidConfig
        | Code::InvalidTopic
        | Code::PolicyViolation => ErrorKind::Configuration,
        // Sent again as they are, they are refused again.
        Code::MessageSizeTooLarge
        | Code::InvalidRecord
        | Code::InvalidTimestamp
        | Code::InvalidMessageSize
        | Code::MessageBatchTooLarge
        | Code::UnsupportedForMessageFormat
        | Code::UnsupportedCompressionType => ErrorKind::Encode,
        Code::BrokerTransportFailure
        | Code::AllBrokersDown
        | Code::Resolve
        | Code::OperationTimedOut => ErrorKind::Connection,
        _ => ErrorKind::Delivery,
    }
}

fn code_of(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other errors of the Kafka library are alike here"
    )]
    match error {
        KafkaError::Transaction(error) => Some(error.code()),
        other => other.rdkafka_error_code(),
    }
}

/// `attempted` failed with what librdkafka says.
pub(super) fn failed(attempted: impl Into<String>, error: KafkaError) -> Error {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other errors of the Kafka library are alike here"
    )]
    let kind = match &error {
        KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_) => ErrorKind::Configuration,
        other => code_of(other).map_or(ErrorKind::Delivery, kind_of),
    };
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other errors of the Kafka library are alike here"
    )]
    let error = match error {
        // Its text names the value, which may be a password.
        KafkaError::ClientConfig(_, description, name, _) => {
            return Error::new(kind, attempted).with_source(format!(
                "Kafka setting `{name}`: {}",
                without_value(&description)
            ));
        }
        other => other,
    };
    let is_too_large = matches!(
        code_of(&error),
        Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidMessageSize)
    );
    let told = Error::new(kind, attempted).with_source(error);
    match kind {
        ErrorKind::Permission => told.with_hint("check the Kafka user, its password and its ACLs"),
        ErrorKind::Connection => {
            told.with_hint(
                "check that Kafka runs, that its address is right and that security.protocol is that of its listener",
            )
        }
        ErrorKind::Encode if is_too_large => told.with_hint(
            "raise `producer.override.max.request.size` and the topic's `max.message.bytes`, or exclude the column",
        ),
        ErrorKind::Encode => told.with_hint(
            "the topic's settings do not admit such a record: change them (kafka-configs.sh --describe --entity-type topics), or exclude the table; then restart the connector",
        ),
        ErrorKind::Configuration
        | ErrorKind::Database
        | ErrorKind::SlotLost
        | ErrorKind::LsnsReused
        | ErrorKind::Protocol
        | ErrorKind::Delivery
        | ErrorKind::Fenced
        | ErrorKind::Spill
        | ErrorKind::Defect => told,
    }
}

/// Whether the broker or the client refused a record itself: sent again as it is, it is refused again.
pub(super) fn is_for_good(error: &KafkaError) -> bool {
    code_of(error).is_some_and(|code| kind_of(code) == ErrorKind::Encode)
}

/// Whether a topic refused a record for what it is. A compacted one refuses those without a key so.
pub(super) fn is_invalid(error: &KafkaError) -> bool {
    code_of(error) == Some(RDKafkaErrorCode::InvalidRecord)
}

/// `attempted` failed because the broker does not let us in, or we do not trust it.
pub(super) fn not_let_in(attempted: impl Into<String>, refusal: KafkaRefusal) -> Error {
    let kind = match refusal.kind {
        RefusalKind::Credentials => ErrorKind::Permission,
        RefusalKind::Protocol => ErrorKind::Connection,
        RefusalKind::Mechanism | RefusalKind::Certificate | RefusalKind::ClientCertificate => {
            ErrorKind::Configuration
        }
    };
    let hint = refusal.hint();
    Error::new(kind, attempted)
        .with_source(refusal)
        .with_hint(hint)
}

fn without_value(description: &str) -> &str {
    description.split(" value ").next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use service::ErrorKind as _;

    use super::*;
    use crate::Disposition;

    #[test]
    fn codes_decide_what_is_done() {
        for (code, kind, disposition) in [
            (
                RDKafkaErrorCode::Fenced,
                ErrorKind::Fenced,
                Disposition::Halt,
            ),
            (
                RDKafkaErrorCode::InvalidProducerEpoch,
                ErrorKind::Fenced,
                Disposition::Halt,
            ),
            (
                RDKafkaErrorCode::MessageSizeTooLarge,
                ErrorKind::Encode,
                Disposition::Halt,
            ),
            (
                RDKafkaErrorCode::InvalidRecord,
                ErrorKind::Encode,
                Disposition::Halt,
            ),
            (
                RDKafkaErrorCode::TopicAuthorizationFailed,
                ErrorKind::Permission,
                Disposition::Halt,
            ),
            (
                RDKafkaErrorCode::AllBrokersDown,
                ErrorKind::Connection,
                Disposition::Retry,
            ),
            (
                RDKafkaErrorCode::NotEnoughReplicas,
                ErrorKind::Delivery,
                Disposition::Retry,
            ),
            (
                RDKafkaErrorCode::MessageTimedOut,
                ErrorKind::Delivery,
                Disposition::Retry,
            ),
        ] {
            assert_eq!(kind_of(code), kind, "{code}");
            assert_eq!(kind.disposition(), disposition, "{code}");
        }
    }
}
