//! Where a partition begins and ends.

use std::time::{Duration, Instant};

use rdkafka::{
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    types::RDKafkaErrorCode,
};

use super::client::LogContext;

const REQUEST: Duration = Duration::from_secs(20);
/// How long a broker may not know yet what it leads: elections and the news of them take milliseconds.
const ELECTION: Duration = Duration::from_secs(5);
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(50);

/// The first offset of a partition, and the one after its last record that this consumer may see. Blocks.
///
/// That a topic has leaders is what one broker says; the leader itself may hear of it a moment later, and answers until
/// then as if it had no such partition. Only such answers are asked for again, for at most five seconds: all other errors
/// are the caller's at once.
///
/// # Errors
/// Kafka does not answer, or refuses.
pub(super) fn watermarks(
    consumer: &BaseConsumer<LogContext>,
    topic: &str,
    partition: i32,
) -> Result<(i64, i64), KafkaError> {
    let deadline = Instant::now() + ELECTION;
    loop {
        match consumer.fetch_watermarks(topic, partition, REQUEST) {
            Err(error) if is_election(&error) && Instant::now() < deadline => {
                std::thread::sleep(PAUSE);
            }
            answer => return answer,
        }
    }
}

/// Whether an error says that a partition has no leader yet, or that who was asked is not, or not known to be, the one.
fn is_election(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::UnknownTopicOrPartition
                | Code::LeaderNotAvailable
                | Code::NotLeaderForPartition
                | Code::FencedLeaderEpoch
                | Code::UnknownLeaderEpoch
                | Code::OffsetNotAvailable
                // The client's own words for what its metadata do not have yet.
                | Code::UnknownTopic
                | Code::UnknownPartition
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_election_is_waited_for() {
        for (code, want) in [
            (RDKafkaErrorCode::LeaderNotAvailable, true),
            (RDKafkaErrorCode::NotLeaderForPartition, true),
            (RDKafkaErrorCode::UnknownTopicOrPartition, true),
            (RDKafkaErrorCode::UnknownPartition, true),
            (RDKafkaErrorCode::TopicAuthorizationFailed, false),
            (RDKafkaErrorCode::SaslAuthenticationFailed, false),
            (RDKafkaErrorCode::AllBrokersDown, false),
            (RDKafkaErrorCode::OperationTimedOut, false),
        ] {
            assert_eq!(
                is_election(&KafkaError::MetadataFetch(code)),
                want,
                "{code}"
            );
        }
    }
}
