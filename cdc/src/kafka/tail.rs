//! What a partition ends with: how an at-least-once start finds out what an earlier life already delivered.

use std::{collections::HashMap, time::Duration};

use debezium::{ChangePosition, wire::header};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::Consumer,
    error::KafkaError,
    message::{BorrowedMessage, Headers},
};

use super::{
    batch::ChangePart, client::KafkaClient, compacted::reader, failure::failed,
    watermarks::watermarks,
};
use crate::{Error, ErrorKind, incarnation::Delivered};

const REQUEST: Duration = Duration::from_secs(20);

/// The last delivered record of each partition.
#[derive(Debug, Default)]
pub(super) struct Tails {
    last: HashMap<(String, i32), (ChangePosition, ChangePart)>,
    highest: Option<ChangePosition>,
}

impl Tails {
    /// Read the last records of a topic's partitions.
    pub(super) fn read(
        &mut self,
        client: &KafkaClient,
        topic: &str,
        partitions: i32,
    ) -> Result<(), Error> {
        let consumer = reader(client)?;
        for partition in 0..partitions {
            let attempted =
                || format!("read the last record of topic `{topic}`, partition {partition}");
            let (low, high) = watermarks(&consumer, topic, partition)
                .map_err(|error| failed(attempted(), error))?;
            if low == high {
                continue;
            }
            // Offsets before the end may be markers of transactions, or compacted away.
            let mut from = high - 1;
            loop {
                let mut assignment = TopicPartitionList::new();
                assignment
                    .add_partition_offset(topic, partition, Offset::Offset(from))
                    .and_then(|()| consumer.assign(&assignment))
                    .map_err(|error| failed(attempted(), error))?;
                let mut found = None;
                loop {
                    match consumer.poll(REQUEST) {
                        Some(Ok(message)) => found = Some(position_of(&message)),
                        Some(Err(KafkaError::PartitionEOF(_))) => break,
                        Some(Err(error)) => return Err(failed(attempted(), error)),
                        None => return Err(Error::new(ErrorKind::Connection, attempted())),
                    }
                }
                if let Some(found) = found {
                    if let Some(last) = found {
                        self.highest = self.highest.max(Some(last.0));
                        self.last.insert((topic.to_owned(), partition), last);
                    }
                    break;
                }
                if from <= low {
                    break;
                }
                from = (from - 64).max(low);
            }
        }
        Ok(())
    }

    /// Whether some record may still be there already.
    pub(super) fn may_contain(&self, position: ChangePosition) -> bool {
        self.highest.is_some_and(|highest| position <= highest)
    }

    /// Whether the record was delivered by an earlier life.
    pub(super) fn contains(
        &self,
        topic: &str,
        partition: i32,
        position: ChangePosition,
        part: ChangePart,
    ) -> bool {
        self.last
            .get(&(topic.to_owned(), partition))
            .is_some_and(|last| (position, part) <= *last)
    }
}

/// Position and part of a record that we wrote.
fn position_of(message: &BorrowedMessage<'_>) -> Option<(ChangePosition, ChangePart)> {
    let headers = message.headers()?;
    let mut position = None;
    let mut create = false;
    let mut schema = false;
    for found in headers.iter() {
        match found.key {
            header::POSITION => {
                position = std::str::from_utf8(found.value?).ok()?.parse().ok();
            }
            header::OLD_KEY => create = true,
            header::SCHEMA => schema = true,
            _ => {}
        }
    }
    let part = match (message.payload(), create) {
        _ if !schema => ChangePart::Record,
        (None, _) => ChangePart::Tombstone,
        (Some(_), true) => ChangePart::Create,
        (Some(_), false) => ChangePart::Event,
    };
    let position: ChangePosition = position?;
    // It does not tell whether it is the first message of a transaction or a lone one before it: at least once.
    if part == ChangePart::Record && Delivered::may_be_old_lone_message(position) {
        return Some((Delivered::old_lone_message(position), part));
    }
    Some((position, part))
}
