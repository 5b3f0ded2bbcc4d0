//! Debezium's flat map of properties becomes a `ConnectorConfig`.
//!
//! Every problem is in one report, with the property, its value and what is allowed. Nothing half-valid leaves this
//! file.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use debezium::{Compat, HeaderFormat};

use super::{
    ConfigReport, ConnectorConfig, DeliveryGuarantee, FailureHandling, Guardrail, Handling, Notice,
    PublicationAutocreate, TopicRoute,
    column_rules::column_rules,
    connection::{database, flush_lsn, slot_name, slot_stream_params},
    contract::contract,
    converter::converters,
    filter::{capture_filter, message_key_columns},
    lookup,
    metric_tags::metric_tags,
    reader::Reader,
    records::records,
    replica_identity::identity_rules,
    snapshot::{snapshot, snapshot_mode},
    topic_creation::{is_of_a_group, topic_creation},
};
use crate::librdkafka_settings;
use crate::regex_router::{REGEX_ROUTER, RouterError, regex_router};

/// `connector.class` of the connector that this is a stand-in for.
pub const CONNECTOR_CLASS: &str = "io.debezium.connector.postgresql.PostgresConnector";

/// Further labels of the connector's metrics.
pub const METRIC_TAGS: &str = "custom.metric.tags";

/// Settings that can be used, and what to tell the operator about them.
#[derive(Debug, Clone)]
pub struct Parsed {
    pub config: ConnectorConfig,
    pub notices: Vec<Notice>,
}

impl ConnectorConfig {
    /// Read Debezium's flat map of properties.
    ///
    /// # Errors
    /// Some settings are missing, wrong or not available: all of them are in the report.
    pub fn parse(properties: &BTreeMap<String, String>) -> Result<Parsed, ConfigReport> {
        let mut reader = Reader::new(properties);
        let name = reader.text("name").unwrap_or_default().to_owned();
        if name.is_empty() {
            reader.problem("name", "A value is required");
        }
        let topic_prefix = topic_prefix(&mut reader);
        let database = database(&mut reader);
        let slot_name = slot_name(&mut reader);
        let slot_drop_on_stop = reader.boolean("slot.drop.on.stop");
        let slot_max_retries = reader.integer("slot.max.retries", 0, 1_000_000);
        let slot_retry_delay = reader.millis("slot.retry.delay.ms");
        let slot_stream_params = slot_stream_params(&mut reader);
        reader.choice("plugin.name", &[("pgoutput", ()), ("decoderbufs", ())]);
        let publication_name = reader.text_or_default("publication.name");
        let publication_autocreate = reader.choice(
            "publication.autocreate.mode",
            &[
                ("all_tables", PublicationAutocreate::AllTables),
                ("disabled", PublicationAutocreate::Disabled),
                ("filtered", PublicationAutocreate::Filtered),
                ("no_tables", PublicationAutocreate::NoTables),
            ],
        );
        let status_update_interval = reader.millis("status.update.interval.ms");
        for buffer in [
            "max.batch.size",
            "max.queue.size",
            "poll.interval.ms",
            "max.queue.size.in.bytes",
        ] {
            // Checked as Debezium does; memory is bounded by `tributary.batch.bytes` instead.
            reader.integer(buffer, 0, i64::MAX);
        }
        let mut contract = contract(&mut reader, topic_prefix);
        let is_3 = contract.compat == Compat::V3;
        let extended_headers = reader.boolean("extended.headers.enabled") && is_3;
        let unpublished_operations = reader
            .text("skipped.operations")
            .filter(|_| is_3)
            .map(|_| contract.skipped_operations);
        let snapshot_mode = snapshot_mode(&mut reader);
        let snapshot = snapshot(&mut reader);
        let create_slot_timeout =
            Duration::from_secs(reader.integer("create.slot.command.timeout", 1, 86_400));
        let replica_identities = identity_rules(&mut reader);
        let slot_failover = reader.boolean("slot.failover");
        let publish_via_partition_root = reader.boolean("publish.via.partition.root");
        let flush_lsn = flush_lsn(&mut reader);
        let xmin_interval = reader.millis("xmin.fetch.interval.ms");
        let trust_slot = reader.choice(
            "offset.mismatch.strategy",
            &[
                ("no_validation", false),
                ("trust_offset", false),
                ("trust_slot", true),
                ("trust_greater_lsn", true),
            ],
        );
        let filter = capture_filter(&mut reader);
        let message_key_columns = message_key_columns(&mut reader, contract.compat);
        let column_rules = column_rules(&mut reader, properties);
        let topic_delimiter = topic_delimiter(&mut reader);
        let records = records(&mut reader, &contract.topic_prefix, &topic_delimiter);
        let transaction_metadata = reader.boolean("provide.transaction.metadata");
        let failure_handling = failure_handling(&mut reader);
        let guardrail = guardrail(&mut reader);
        let skip_messages_without_change = reader.boolean("skip.messages.without.change");
        let registries = converters(&mut reader, &mut contract);
        if extended_headers && contract.header_format == HeaderFormat::Bytes {
            reader.problem(
                "header.converter",
                "the headers `__debezium.context.*` are text and the converter takes bytes only: set extended.headers.enabled to false, or another converter",
            );
        }
        let routes = routes(&mut reader);
        let topic_creation = topic_creation(&mut reader);
        // The metrics read it from the posted settings: they are there while no task runs, too.
        if let Err(rule) = metric_tags(reader.text(METRIC_TAGS).unwrap_or_default()) {
            reader.problem(METRIC_TAGS, rule);
        }
        let delivery = delivery(&mut reader);
        let retry_wait = reader.millis("retriable.restart.connector.wait.ms");
        let max_retries = u32::try_from(reader.integer("errors.max.retries", -1, i32::MAX)).ok();
        // Open transactions stay in memory up to here: beyond that a spill file is cheaper than the memory.
        let spill_memory_bytes = reader.integer("tributary.spill.memory.bytes", 1 << 16, 1 << 40);
        let spill_folder = reader
            .text("tributary.spill.folder")
            .map_or_else(std::env::temp_dir, PathBuf::from);
        // By default half of the 16 MiB that the open batch and the one in flight may hold together: enough to fill a Kafka
        // transaction while the last one commits, small enough for the 128 MB that a connector may take.
        let batch_bytes = reader.integer("tributary.batch.bytes", 1 << 10, 1 << 30);
        // A Kafka transaction costs the same CPU time for one row as for a hundred: the default of twenty a second is cheap, and
        // keeps half of the events below 40 ms from commit to consumer. Less costs CPU time where few rows come at a time,
        // more only latency.
        let commit_interval = reader.millis("tributary.commit.interval.ms");
        if let Err(error) = librdkafka_settings(&reader.below("producer.override.")) {
            let property = format!("producer.override.{}", error.setting);
            reader.problem(&property, error.reason);
        }
        let notices = notices(&mut reader, properties);
        if !reader.problems.is_empty() {
            return Err(ConfigReport {
                problems: reader.problems,
            });
        }
        let producer_overrides = reader.below("producer.override.");
        Ok(Parsed {
            config: Self {
                name,
                database,
                slot_name,
                slot_drop_on_stop,
                slot_max_retries,
                slot_retry_delay,
                slot_stream_params,
                publication_name,
                publication_autocreate,
                snapshot_mode,
                snapshot,
                replica_identities,
                create_slot_timeout,
                slot_failover,
                publish_via_partition_root,
                flush_lsn,
                xmin_interval: (!xmin_interval.is_zero()).then_some(xmin_interval),
                guardrail,
                trust_slot,
                filter,
                message_key_columns,
                column_rules,
                contract,
                registries,
                extended_headers,
                unpublished_operations,
                topic_delimiter,
                routes,
                records,
                transaction_metadata,
                failure_handling,
                skip_messages_without_change,
                topic_creation,
                delivery,
                status_update_interval,
                retry_wait,
                max_retries,
                spill_memory_bytes,
                spill_folder,
                batch_bytes,
                commit_interval,
                producer_overrides,
                properties: properties.clone(),
            },
            notices,
        })
    }
}

fn topic_prefix(reader: &mut Reader<'_>) -> String {
    let prefix = reader.required("topic.prefix");
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if !prefix.chars().all(allowed) {
        reader.problem(
            "topic.prefix",
            format!("{prefix} has invalid format (only the underscore, hyphen, dot and alphanumeric characters are allowed)"),
        );
    }
    prefix
}

fn topic_delimiter(reader: &mut Reader<'_>) -> String {
    let delimiter = reader.text_or_default("topic.delimiter");
    if !delimiter
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
    {
        reader.problem(
            "topic.delimiter",
            "only the underscore, hyphen, dot and alphanumeric characters are allowed",
        );
    }
    delimiter
}

fn routes(reader: &mut Reader<'_>) -> Vec<TopicRoute> {
    let aliases = reader.text("transforms").unwrap_or_default();
    let mut routes = Vec::new();
    for alias in aliases
        .split(',')
        .map(str::trim)
        .filter(|it| !it.is_empty())
    {
        let property = |name: &str| format!("transforms.{alias}.{name}");
        if reader.text(&property("predicate")).is_some() {
            reader.problem(&property("predicate"), "predicates are not available");
        }
        match reader.text(&property("type")) {
            // Kafka Connect knows classes also by their simple names.
            Some(REGEX_ROUTER | "RegexRouter") => {}
            Some(_) => {
                reader.problem(
                    &property("type"),
                    format!("the transform is not available: only {REGEX_ROUTER}"),
                );
                continue;
            }
            None => {
                reader.problem(&property("type"), "A value is required");
                continue;
            }
        }
        let regex = reader.required(&property("regex"));
        let replacement = reader.text(&property("replacement")).unwrap_or_default();
        match regex_router(&regex, replacement) {
            Ok(route) => routes.push(route),
            Err(RouterError::Regex(pattern, error)) => reader.problem(
                &property("regex"),
                super::filter::not_a_regex(&pattern, &error),
            ),
            Err(error) => reader.problem(&property("replacement"), error.to_string()),
        }
    }
    routes
}

/// `errors.tolerance` is what Connect does about a record that a converter refuses, the other what Debezium does about
/// one that it cannot make: here both come from one encoder, and the more tolerant of the two counts.
fn failure_handling(reader: &mut Reader<'_>) -> FailureHandling {
    let handling = reader.choice(
        "event.processing.failure.handling.mode",
        &[
            ("fail", FailureHandling::Fail),
            ("warn", FailureHandling::Warn),
            ("skip", FailureHandling::Skip),
            // An older name of the same.
            ("ignore", FailureHandling::Skip),
        ],
    );
    let is_logged = reader.boolean("errors.log.enable");
    let tolerant = reader.choice("errors.tolerance", &[("none", false), ("all", true)]);
    match handling {
        FailureHandling::Fail if tolerant && is_logged => FailureHandling::Warn,
        FailureHandling::Fail if tolerant => FailureHandling::Skip,
        handling @ (FailureHandling::Fail | FailureHandling::Warn | FailureHandling::Skip) => {
            handling
        }
    }
}

/// `guardrail.collections.max`; None is without a limit.
fn guardrail(reader: &mut Reader<'_>) -> Option<Guardrail> {
    let fails = reader.choice(
        "guardrail.collections.limit.action",
        &[("warn", false), ("fail", true)],
    );
    let most = reader.integer("guardrail.collections.max", 0, 1_000_000);
    (most > 0).then_some(Guardrail { most, fails })
}

fn delivery(reader: &mut Reader<'_>) -> DeliveryGuarantee {
    let delivery = reader.choice(
        "delivery.guarantee",
        &[
            ("exactly_once", DeliveryGuarantee::ExactlyOnce),
            ("at_least_once", DeliveryGuarantee::AtLeastOnce),
        ],
    );
    let required = reader.choice(
        "exactly.once.support",
        &[("requested", false), ("required", true)],
    );
    if required && delivery == DeliveryGuarantee::AtLeastOnce {
        reader.problem(
            "exactly.once.support",
            "\"delivery.guarantee\" is at_least_once",
        );
    }
    delivery
}

fn notices(reader: &mut Reader<'_>, properties: &BTreeMap<String, String>) -> Vec<Notice> {
    let mut notices = Vec::new();
    for (name, value) in properties {
        match lookup::handling(name) {
            Some(Handling::Used) if is_of_a_group(reader, name) => {}
            Some(Handling::Used) => notices.push(Notice::Ignored {
                property: name.clone(),
                reason: "its group is not among topic.creation.groups",
            }),
            Some(Handling::Ignored(reason)) => notices.push(Notice::Ignored {
                property: name.clone(),
                reason,
            }),
            Some(Handling::Refused { neutral, reason }) => {
                let value = value.trim();
                if !value.is_empty() && !neutral.contains(&value) {
                    reader.problem(name, *reason);
                }
            }
            None => notices.push(Notice::Unknown {
                property: name.clone(),
                nearest: lookup::nearest(name),
            }),
        }
    }
    notices
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
