//! The Kafka end of a connector and the Kafka Connect face, on a real broker and a real PostgreSQL.

#[path = "kafka_connect/arbitrary.rs"]
mod arbitrary;
#[path = "kafka_connect/clients.rs"]
mod clients;
#[path = "kafka_connect/commit_interval.rs"]
mod commit_interval;
#[path = "kafka_connect/connections.rs"]
mod connections;
#[path = "kafka_connect/delivery.rs"]
mod delivery;
#[path = "kafka_connect/difference.rs"]
mod difference;
#[path = "kafka_connect/doors.rs"]
mod doors;
#[path = "kafka_connect/events.rs"]
mod events;
#[path = "kafka_connect/http.rs"]
mod http;
#[path = "kafka_connect/internal_topics.rs"]
mod internal_topics;
#[path = "kafka_connect/lifecycle.rs"]
mod lifecycle;
#[path = "kafka_connect/money.rs"]
mod money;
#[path = "kafka_connect/orders.rs"]
mod orders;
#[path = "kafka_connect/outage.rs"]
mod outage;
#[path = "kafka_connect/recordings.rs"]
mod recordings;
#[path = "kafka_connect/records.rs"]
mod records;
#[path = "kafka_connect/refusals.rs"]
mod refusals;
#[path = "kafka_connect/rejected.rs"]
mod rejected;
#[path = "kafka_connect/rest.rs"]
mod rest;
#[path = "kafka_connect/rest_security.rs"]
mod rest_security;
#[path = "kafka_connect/secrets.rs"]
mod secrets;
#[path = "kafka_connect/security.rs"]
mod security;
#[path = "kafka_connect/slot_in_use.rs"]
mod slot_in_use;
#[path = "kafka_connect/slow_clients.rs"]
mod slow_clients;
#[path = "kafka_connect/snapshot_killed.rs"]
mod snapshot_killed;
#[path = "kafka_connect/state.rs"]
mod state;
#[path = "kafka_connect/topic_creation.rs"]
mod topic_creation;
#[path = "kafka_connect/traces.rs"]
mod traces;
#[path = "kafka_connect/workers.rs"]
mod workers;
