//! What the Kafka clients here share: the security settings of Kafka's Java clients as librdkafka has them, and what
//! its log lines say about them, and the list of brokers. No client is made here.

mod admitted;
mod brokers;
mod jaas;
mod refusal;
mod security;

pub use brokers::{Brokers, BrokersError};
pub use refusal::{KafkaRefusal, RefusalKind};
pub use security::{KafkaSettingError, security_settings, security_settings_of_each};
