//! Positions in the offsets topic, in Kafka Connect's own format, so that a Debezium connector of the same name and this
//! one can take over from each other.
//!
//! Key: `["<connector>",{"server":"<topic prefix>"}]`. Value: Debezium's fields, then ours; Debezium ignores fields it
//! does not know. All fields are flat, because Connect accepts only primitive values in an offset.

use std::collections::{BTreeMap, BTreeSet};

use debezium::{ChangePosition, Operation, SnapshotMarker, Source};
use pgoutput::Lsn;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{KafkaClient, compacted::read_partitions, murmur2::partition_of};
use crate::{
    Error, ErrorKind,
    checkpoint::{Resume, SlotIdentity, TablesRead, Witness},
    incarnation::{Delivered, Incarnation},
};

/// Beginning of the fields that count a transaction's events by table.
const TRANSACTION_ORDER: &str = "transaction_data_collection_order_";

/// `messageType` of a logical message.
pub const MESSAGE: &str = "MESSAGE";

/// The key of a connector's offset.
pub fn offset_key(connector: &str, topic_prefix: &str) -> Vec<u8> {
    serde_json::json!([connector, { "server": topic_prefix }])
        .to_string()
        .into_bytes()
}

/// The value of a connector's offset. Fields are named as they are stored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StoredOffset {
    /// The transaction of the last record, with transaction metadata only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// Its events so far by table: fields of their own in the text, see `TRANSACTION_ORDER`.
    #[serde(skip)]
    pub transaction_orders: BTreeMap<String, u64>,
    /// The last LSN that was processed: `lsn` here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lsn_proc: Option<u64>,
    /// INSERT, UPDATE, DELETE or TRUNCATE; absent in a snapshot.
    #[serde(
        rename = "messageType",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub message_type: Option<String>,
    /// End of the COMMIT before the last change; absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lsn_commit: Option<u64>,
    /// Of the last change; the consistent point in a snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lsn: Option<u64>,
    #[serde(rename = "txId", default, skip_serializing_if = "Option::is_none")]
    pub tx_id: Option<u64>,
    /// `Source::xmin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xmin: Option<u64>,
    /// Commit time, microseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ts_usec: Option<i64>,
    /// `true` in 2.7, a word in 3.x; absent while streaming.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_snapshot_record: Option<bool>,
    /// 3.x.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot_completed: Option<bool>,
    /// `ChangePosition::incarnation`; absent is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tributary_incarnation: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tributary_commit_lsn: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tributary_ordinal: Option<u64>,
    /// `Resume::last_commit_lsn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tributary_last_commit_lsn: Option<u64>,
    /// `Resume::end_lsn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tributary_end_lsn: Option<u64>,
    /// `Resume::tables_read`, their OIDs separated by commas; absent where no snapshot is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tributary_snapshot_finished: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tributary_snapshot_begun: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tributary_slot_system_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tributary_slot_timeline: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tributary_slot_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tributary_slot_created_lsn: Option<u64>,
    /// `Resume::witness`, in three fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tributary_witness_commit_lsn: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tributary_witness_tx_id: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tributary_witness_usec: Option<i64>,
    /// `Resume::read_micros`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tributary_read_usec: Option<i64>,
    /// The position that it belongs to: it says nothing of one that was set by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tributary_read_position: Option<String>,
    /// `Resume::selection`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tributary_selection: Option<String>,
}

impl StoredOffset {
    /// Debezium's fields for a change.
    pub fn of_change(op: Operation, source: &Source, position: ChangePosition) -> Self {
        let message_type = match op {
            Operation::Read => {
                let mut offset = Self::of_source(source, position);
                offset.set_snapshot(source.snapshot == SnapshotMarker::Last);
                return offset;
            }
            Operation::Create => "INSERT",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
            Operation::Truncate => "TRUNCATE",
        };
        Self::of_message(message_type, source, position)
    }

    /// Debezium's fields for a message of the stream: a change, MESSAGE, BEGIN or COMMIT.
    pub fn of_message(message_type: &str, source: &Source, position: ChangePosition) -> Self {
        let mut offset = Self::of_source(source, position);
        offset.message_type = Some(message_type.to_owned());
        offset.lsn_proc = Some(source.lsn);
        offset.lsn_commit = source.last_commit_lsn;
        offset
    }

    fn of_source(source: &Source, position: ChangePosition) -> Self {
        let mut offset = Self {
            lsn: Some(source.lsn),
            tx_id: source.tx_id,
            xmin: source.xmin,
            ts_usec: Some(source.commit_micros),
            tributary_last_commit_lsn: source.last_commit_lsn,
            ..Self::default()
        };
        offset.set_position(position);
        offset
    }

    /// The position that was stored by this program; None where Debezium wrote the offset.
    pub fn position(&self) -> Option<ChangePosition> {
        Some(self.own_position(self.tributary_commit_lsn?, self.tributary_ordinal?))
    }

    pub fn set_position(&mut self, position: ChangePosition) {
        self.tributary_incarnation = Some(position.incarnation).filter(|number| *number > 0);
        self.tributary_commit_lsn = Some(position.commit_lsn);
        self.tributary_ordinal = Some(position.ordinal);
    }

    fn own_position(&self, commit_lsn: u64, ordinal: u64) -> ChangePosition {
        let incarnation = self.tributary_incarnation.unwrap_or(0);
        let position = ChangePosition::new(commit_lsn, ordinal).in_incarnation(incarnation);
        let is_lone_message = self.message_type.as_deref() == Some(MESSAGE) && self.tx_id.is_none();
        if is_lone_message && Delivered::may_be_old_lone_message(position) {
            return Delivered::old_lone_message(position);
        }
        position
    }

    /// The snapshot goes on, or this was its last row.
    pub fn set_snapshot(&mut self, last: bool) {
        self.snapshot = Some(Value::Bool(true));
        self.last_snapshot_record = Some(last);
    }

    /// The snapshot under way has delivered that much; None: none is.
    pub fn set_tables_read(&mut self, read: Option<&TablesRead>) {
        let text = |tables: &BTreeSet<u32>| {
            let oids: Vec<String> = tables.iter().map(u32::to_string).collect();
            oids.join(",")
        };
        self.tributary_snapshot_finished = read.map(|read| text(&read.finished));
        self.tributary_snapshot_begun = read.map(|read| text(&read.begun));
    }

    /// None where it is not told, or not in our words: then the snapshot starts from scratch.
    fn tables_read(&self) -> Option<TablesRead> {
        let oids = |text: &Option<String>| -> Option<BTreeSet<u32>> {
            let parts = text.as_ref()?.split(',').filter(|part| !part.is_empty());
            parts.map(|part| part.parse().ok()).collect()
        };
        Some(TablesRead {
            finished: oids(&self.tributary_snapshot_finished)?,
            begun: oids(&self.tributary_snapshot_begun)?,
        })
    }

    pub fn set_slot(&mut self, slot: Option<&SlotIdentity>) {
        self.tributary_slot_system_id = slot.map(|slot| slot.system_id.clone());
        self.tributary_slot_timeline = slot.map(|slot| slot.timeline);
        self.tributary_slot_name = slot.map(|slot| slot.name.clone());
        self.tributary_slot_created_lsn = slot.map(|slot| slot.created_lsn);
    }

    pub fn set_read_micros(&mut self, micros: Option<i64>) {
        let position = self.position().filter(|_| micros.is_some());
        self.tributary_read_position = position.map(|position| position.to_string());
        self.tributary_read_usec = micros;
    }

    fn read_micros(&self) -> Option<i64> {
        let own = self.position()?.to_string();
        let same = self.tributary_read_position.as_ref() == Some(&own);
        self.tributary_read_usec.filter(|_| same)
    }

    pub fn set_witness(&mut self, witness: Option<Witness>) {
        self.tributary_witness_commit_lsn = witness.map(|witness| witness.commit_lsn);
        self.tributary_witness_tx_id = witness.map(|witness| witness.tx_id);
        self.tributary_witness_usec = witness.map(|witness| witness.commit_micros);
    }

    /// The last delivered transaction. A version that did not store it has it where its last record was of one.
    pub fn witness(&self) -> Option<Witness> {
        if let Some(commit_lsn) = self.tributary_witness_commit_lsn {
            return Some(Witness {
                commit_lsn,
                tx_id: self.tributary_witness_tx_id?,
                commit_micros: self.tributary_witness_usec?,
            });
        }
        let position = self.position()?;
        self.message_type.as_ref()?;
        Some(Witness {
            commit_lsn: position
                .is_in_transaction()
                .then_some(position.commit_lsn)?,
            tx_id: self.tx_id?,
            commit_micros: self.ts_usec?,
        })
    }

    /// # Errors
    /// Never for the types of this struct; passed on rather than hidden.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        let failed = |error| {
            Error::new(ErrorKind::Encode, "write the connector's offset").with_source(error)
        };
        if self.transaction_orders.is_empty() {
            return serde_json::to_vec(self).map_err(failed);
        }
        let mut value = serde_json::to_value(self).map_err(failed)?;
        if let Some(object) = value.as_object_mut() {
            for (table, order) in &self.transaction_orders {
                object.insert(format!("{TRANSACTION_ORDER}{table}"), (*order).into());
            }
        }
        serde_json::to_vec(&value).map_err(failed)
    }

    /// # Errors
    /// The text is not an offset of Debezium's PostgreSQL connector.
    pub fn decode(value: &[u8]) -> Result<Self, Error> {
        // By way of an object: a struct would be read from an array too.
        serde_json::from_slice::<serde_json::Map<String, Value>>(value)
            .and_then(|object| {
                let orders = object.iter().filter_map(|(name, order)| {
                    let table = name.strip_prefix(TRANSACTION_ORDER)?;
                    Some((table.to_owned(), order.as_u64()?))
                });
                let transaction_orders = orders.collect();
                let mut offset: Self = serde_json::from_value(Value::Object(object))?;
                offset.transaction_orders = transaction_orders;
                Ok(offset)
            })
            .map_err(|error| {
                Error::new(
                    ErrorKind::Configuration,
                    "read the connector's stored offset",
                )
                .with_source(error)
                .with_hint("it is not an offset of a PostgreSQL connector: give the connector another name, or delete the offset")
            })
    }

    /// Where to go on from; None where the offset names no position.
    ///
    /// An offset that Debezium wrote has no ordinal: everything that committed before its `lsn_commit` is taken as
    /// delivered, and the transaction of its last change is delivered again as a whole.
    pub fn resume(&self) -> Option<Resume> {
        let snapshot_completed = match (&self.snapshot, self.snapshot_completed) {
            (None | Some(Value::Bool(false)), _) => true,
            (Some(_), Some(completed)) => completed,
            (Some(_), None) => self.last_snapshot_record == Some(true),
        };
        let (position, last_commit_lsn) = match self.position() {
            Some(position) => (position, self.tributary_last_commit_lsn),
            None => {
                let before = self.lsn_commit.or(self.lsn)?;
                (
                    Incarnation::default().up_to(Lsn(before)),
                    self.lsn_commit.or(self.lsn_proc),
                )
            }
        };
        let slot = match (
            &self.tributary_slot_system_id,
            self.tributary_slot_timeline,
            &self.tributary_slot_name,
            self.tributary_slot_created_lsn,
        ) {
            (Some(system_id), Some(timeline), Some(name), Some(created_lsn)) => {
                Some(SlotIdentity {
                    system_id: system_id.clone(),
                    timeline,
                    name: name.clone(),
                    created_lsn,
                })
            }
            _ => None,
        };
        Some(Resume {
            position,
            last_commit_lsn,
            last_commit_micros: self.ts_usec,
            end_lsn: match self.position() {
                Some(_) => self.tributary_end_lsn,
                // What Debezium may have confirmed to the slot: never more than the highest of them.
                None => self.lsn_commit.max(self.lsn_proc).max(self.lsn),
            },
            snapshot_completed,
            tables_read: self.tables_read().filter(|_| !snapshot_completed),
            slot,
            witness: self.witness(),
            read_micros: self.read_micros(),
            selection: self.tributary_selection.clone(),
            followed: None,
            of_debezium: self.position().is_none(),
        })
    }
}

/// The last offset under `key` in the offsets topic, as its JSON text. Blocks.
///
/// # Errors
/// Kafka does not answer, or it cannot be told which of several is the last.
pub fn read_offset(
    client: &KafkaClient,
    topic: &str,
    key: &[u8],
) -> Result<Option<Vec<u8>>, Error> {
    let mut found = ByPartition::new();
    // Connect's JSON converter writes keys as we do; another program may space them differently.
    let wanted: Option<Value> = serde_json::from_slice(key).ok();
    let partitions = read_partitions(client, topic, |partition, record_key, value| {
        let same = record_key.is_some_and(|record_key| {
            record_key == key
                || (wanted.is_some() && serde_json::from_slice(record_key).ok() == wanted)
        });
        if same {
            found.insert(partition, value.map(<[u8]>::to_vec));
        }
        Ok(())
    })?;
    last_of(found, topic, key, partitions)
}

/// All offsets of a connector in the offsets topic: partition and offset of each. Records that are not Kafka Connect's
/// are left out. Blocks.
///
/// # Errors
/// Kafka does not answer, or it cannot be told which of several is the last.
pub fn read_offsets(
    client: &KafkaClient,
    topic: &str,
    connector: &str,
) -> Result<Vec<(Value, Value)>, Error> {
    let mut found: Vec<(Value, ByPartition)> = Vec::new();
    let partitions = read_partitions(client, topic, |partition, key, value| {
        let Some((name, source)) =
            key.and_then(|key| serde_json::from_slice::<(String, Value)>(key).ok())
        else {
            return Ok(());
        };
        if name != connector {
            return Ok(());
        }
        let value = value.map(<[u8]>::to_vec);
        match found.iter_mut().find(|(known, _)| *known == source) {
            Some((_, values)) => drop(values.insert(partition, value)),
            None => found.push((source, BTreeMap::from([(partition, value)]))),
        }
        Ok(())
    })?;
    let mut offsets = Vec::new();
    for (source, values) in found {
        let key = serde_json::json!([connector, source]).to_string();
        let last = last_of(values, topic, key.as_bytes(), partitions)?;
        match last.as_deref().map(serde_json::from_slice::<Value>) {
            None | Some(Ok(Value::Null)) => {}
            Some(Ok(offset)) => offsets.push((source, offset)),
            Some(Err(error)) => {
                tracing::warn!(connector, partition = %source, %error, "a stored offset cannot be read");
            }
        }
    }
    Ok(offsets)
}

/// The last value of a key in each partition of the topic; None is a tombstone.
type ByPartition = BTreeMap<i32, Option<Vec<u8>>>;

/// A key is always written to the partition that it hashes to, so there is one value. A topic that was given more partitions
/// has the older one where the key hashed to before, and only the partition of now tells that another is newer: records of
/// different partitions have no order.
///
/// # Errors
/// There are several, and none in the partition of now.
fn last_of(
    mut found: ByPartition,
    topic: &str,
    key: &[u8],
    partitions: usize,
) -> Result<Option<Vec<u8>>, Error> {
    let of_now = partition_of(key, i32::try_from(partitions).unwrap_or(i32::MAX));
    if found.len() > 1 {
        let places: Vec<String> = found.keys().map(i32::to_string).collect();
        let (key, places) = (String::from_utf8_lossy(key), places.join(" and "));
        let Some(last) = found.remove(&of_now) else {
            return Err(Error::new(
                ErrorKind::Configuration,
                format!("read the offset `{key}`: it stands in the partitions {places} of the topic `{topic}`, which was given more partitions, and it cannot be told which is the last"),
            )
            .with_hint("stop the connector and write the offset that is right: PATCH /connectors/{name}/offsets"));
        };
        tracing::warn!(%key, topic, partition = of_now, %places, "the offset stands in several partitions of a topic that was given more: that of the partition of now is taken");
        return Ok(last);
    }
    Ok(found.into_values().next().flatten())
}

#[cfg(test)]
#[path = "offsets_tests.rs"]
mod tests;
