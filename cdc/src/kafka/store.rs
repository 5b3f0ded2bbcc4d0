use std::time::{Duration, Instant};

use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::{KafkaClient, OwnedRecord, delivery::DeliveryContext, failure::failed};
use crate::{Error, ErrorKind};

const WRITE: Duration = Duration::from_secs(20);
/// How often the answer is looked for.
const LOOK: Duration = Duration::from_millis(1);

/// Writes single records to compacted topics: connector settings, states, offsets set by hand. Its calls block.
pub struct RecordStore {
    producer: BaseProducer<DeliveryContext>,
    context: DeliveryContext,
}

impl RecordStore {
    /// # Errors
    /// A client setting is wrong.
    pub fn new(client: &KafkaClient) -> Result<Self, Error> {
        let context = DeliveryContext::default();
        let producer = client
            .config()
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "0")
            .set("message.timeout.ms", "15000")
            .create_with_context(context.clone())
            .map_err(|error| failed("make a Kafka producer", error))?;
        Ok(Self { producer, context })
    }

    /// Write the records and wait until all replicas have them.
    ///
    /// # Errors
    /// Kafka did not take them in time.
    pub fn write(&self, records: &[OwnedRecord]) -> Result<(), Error> {
        let deliveries = &self.context.deliveries;
        deliveries.forget_failure();
        let attempted = || {
            let topic = records.first().map_or("", |record| record.topic.as_str());
            format!("write to the topic `{topic}`")
        };
        let wanted = deliveries.reported() + records.len() as u64;
        for (i, record) in records.iter().enumerate() {
            let message = BaseRecord {
                topic: &record.topic,
                partition: None,
                payload: record.value.as_ref(),
                key: Some(&record.key),
                timestamp: None,
                headers: None,
                delivery_opaque: i,
            };
            self.producer
                .send(message)
                .map_err(|(error, _)| failed(attempted(), error))?;
        }
        let deadline = Instant::now() + WRITE;
        while self.producer.in_flight_count() > 0 && Instant::now() < deadline {
            // A poll with a timeout spins through the timeout's last millisecond.
            self.producer.poll(Duration::ZERO);
            std::thread::sleep(LOOK);
        }
        if let Some(undelivered) = deliveries.failure() {
            return Err(failed(attempted(), undelivered.error));
        }
        if deliveries.reported() < wanted {
            return Err(Error::new(ErrorKind::Delivery, attempted()));
        }
        Ok(())
    }
}
