//! What the Kafka clients here share: the security settings of Kafka's Java clients as librdkafka has them, and what
//! its log lines say about them. Only text: no client is made here.

mod admitted;
mod jaas;
mod refusal;
mod security;

pub use refusal::{KafkaRefusal, RefusalKind};
pub use security::{KafkaSettingError, security_settings};
