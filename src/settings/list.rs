//! Every setting of every subcommand: name, default, rule and meaning. There is no other default.

use super::values::{self, Rule};

/// One setting: `section.key`.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    pub key: &'static str,
    pub default: Option<&'static str>,
    pub secret: bool,
    /// What its text must be.
    pub rule: Rule,
    pub doc: &'static str,
}

impl Setting {
    /// Whether it can have this text. Empty counts as not set.
    pub(super) fn check(&self, text: &str) -> Result<(), String> {
        if text.is_empty() {
            return Ok(());
        }
        values::one_line(text)?;
        (self.rule)(text)
    }

    /// Its variable in the environment.
    pub fn variable(&self) -> String {
        format!(
            "TRIBUTARY_{}",
            self.key.to_uppercase().replacen('.', "__", 1)
        )
    }
}

const fn setting(
    key: &'static str,
    default: &'static str,
    rule: Rule,
    doc: &'static str,
) -> Setting {
    Setting {
        key,
        default: Some(default),
        secret: false,
        rule,
        doc,
    }
}

const fn unset(key: &'static str, rule: Rule, doc: &'static str) -> Setting {
    Setting {
        key,
        default: None,
        secret: false,
        rule,
        doc,
    }
}

const fn secret(key: &'static str, rule: Rule, doc: &'static str) -> Setting {
    Setting {
        key,
        default: None,
        secret: true,
        rule,
        doc,
    }
}

/// Every setting there is.
pub const SETTINGS: &[Setting] = &[
    setting(
        "log.format",
        "text",
        values::log_format,
        "Log lines on standard error: `text` or `json`. The level is `TRIBUTARY_LOG` (`info`, `cdc=debug,info`).",
    ),
    setting(
        "generator.dsn",
        "postgresql://postgres@127.0.0.1:5432/postgres",
        values::dsn,
        "Where the generator writes: a PostgreSQL connection string (URL or `key=value`).",
    ),
    secret(
        "generator.password",
        values::any_line,
        "Password for `generator.dsn`, so that the connection string can be shown.",
    ),
    setting(
        "generator.rate",
        "50/s",
        values::rate,
        "Tweets a second: `50/s`, `3000/m`, or `unlimited`.",
    ),
    setting(
        "generator.mix",
        "insert=80,update=15,delete=5",
        values::mix,
        "Shares of the operations; they need not add up to 100.",
    ),
    unset(
        "generator.seed",
        values::seed,
        "Same seed, same rows. Without it every run differs.",
    ),
    setting(
        "kafka.bootstrap_servers",
        "127.0.0.1:9092",
        values::brokers,
        "Kafka brokers, `host:port,host:port`.",
    ),
    unset(
        "kafka.security_protocol",
        values::security_protocol,
        "How to speak to Kafka: `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL` (see [security](security.md)).",
    ),
    unset(
        "kafka.sasl_mechanism",
        values::sasl_mechanism,
        "`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.",
    ),
    unset("kafka.sasl_username", values::name, "User of Kafka."),
    secret(
        "kafka.sasl_password",
        values::any_line,
        "Password of that user.",
    ),
    unset(
        "kafka.ssl_ca_file",
        values::kafka_roots,
        "PEM file of the root certificates that the brokers' are signed by. Without it: the system's.",
    ),
    unset(
        "kafka.ssl_certificate_file",
        values::certificates,
        "PEM file of our own certificate, where the brokers ask for one.",
    ),
    unset(
        "kafka.ssl_key_file",
        values::key_file,
        "PEM file of that certificate's key.",
    ),
    secret(
        "kafka.ssl_key_password",
        values::any_line,
        "Password of that key.",
    ),
    unset(
        "kafka.ssl_endpoint_identification_algorithm",
        values::endpoint_identification,
        "`https` compares the brokers' names with their certificates (the default), `none` does not.",
    ),
    setting(
        "cdc.listen",
        "127.0.0.1:8083",
        values::listen,
        "Address of the Kafka Connect REST face, `/healthz`, `/readyz` and `/metrics`.",
    ),
    unset(
        "cdc.allowed_hosts",
        values::hosts,
        "Names that this face is reached by, separated by commas: `connect`, `.kafka.svc.cluster.local` for all below it, `*` for any. Loopback names, bare addresses, the advertised name and this machine's are always taken; a request by another name, or from a web page of another origin, is answered 403.",
    ),
    unset(
        "cdc.connectors_folder",
        values::folder,
        "Folder of connector files (`*.json`, as posted to `/connectors`) that are registered at start.",
    ),
    setting(
        "cdc.group_id",
        "tributary",
        values::name,
        "Name of this Connect worker group (the image's GROUP_ID).",
    ),
    setting(
        "cdc.config_storage_topic",
        "connect_configs",
        values::topic,
        "Compacted topic of connector configurations (CONFIG_STORAGE_TOPIC).",
    ),
    setting(
        "cdc.offset_storage_topic",
        "connect_offsets",
        values::topic,
        "Compacted topic of source positions (OFFSET_STORAGE_TOPIC).",
    ),
    setting(
        "cdc.status_storage_topic",
        "connect_statuses",
        values::topic,
        "Compacted topic of connector states (STATUS_STORAGE_TOPIC).",
    ),
    setting(
        "lake.url",
        "data/lake",
        values::lake_url,
        "Root of the lake: a folder, `file://`, `s3://bucket/prefix`, or any other object store URL.",
    ),
    unset(
        "lake.endpoint",
        values::lake_endpoint,
        "S3 endpoint, such as `http://minio:9000`; path-style requests. Without it: AWS.",
    ),
    unset(
        "lake.ca_file",
        values::certificates,
        "PEM file of root certificates that the S3 endpoint's may be signed by, beside the system's. Without it: AWS_CA_BUNDLE.",
    ),
    unset(
        "lake.region",
        values::region,
        "S3 region. Without it: AWS_REGION or AWS_DEFAULT_REGION, then `us-east-1`.",
    ),
    secret(
        "lake.access_key_id",
        values::access_key,
        "S3 access key. Without it: `AWS_ACCESS_KEY_ID`, a web identity or a container's credentials; an EC2 instance is asked only where `AWS_METADATA_ENDPOINT` names its service.",
    ),
    secret("lake.secret_access_key", values::any_line, "S3 secret key."),
    setting(
        "lake.maintenance",
        lakewriter::maintain::DEFAULT_SCHEDULE,
        values::maintenance,
        "When the writer looks whether tables have many small files and makes large ones of them: a cron expression with seconds (UTC), or `off`.",
    ),
    setting(
        "lake.history",
        lakewriter::maintain::DEFAULT_HISTORY_SETTING,
        values::history,
        "How long older versions of a table can be read. Entries of its log and files that only older versions need are deleted.",
    ),
    setting(
        "lake.target_file_size",
        lakewriter::maintain::DEFAULT_TARGET_SETTING,
        values::bytes,
        "Size of the files that small ones become.",
    ),
    unset(
        "mirror.from",
        values::database,
        "Database that `tributary mirror` copies: a connection string (URL or `key=value`).",
    ),
    secret(
        "mirror.password",
        values::any_line,
        "Password for `mirror.from`, so that the connection string can be shown. Without it: PGPASSWORD.",
    ),
    setting(
        "mirror.tables",
        "*",
        values::globs,
        "Tables that are mirrored: names with `*` and `?`, separated by commas.",
    ),
    unset(
        "mirror.exclude",
        values::globs,
        "Tables that are not, as in `mirror.tables`.",
    ),
    unset(
        "mirror.slot",
        values::slot,
        "Name of the replication slot and the publication. Without it: the one that the lake has from its first start, which is `tributary_mirror_` and a number.",
    ),
    unset(
        "mirror.name",
        values::name,
        "First folder of the tables in the lake, and name of the position there. Without it: the database's name.",
    ),
    setting(
        "mirror.snapshot",
        "initial",
        values::mirror_snapshot,
        "`initial` copies the rows that are there at the first start, `no_data` only what changes from then on; `when_needed` as `initial`, and all of them anew where changes were lost.",
    ),
    setting(
        "mirror.freshness",
        "1s",
        values::time,
        "Longest time from a change's commit to its commit in the lake.",
    ),
    unset(
        "sql.memory_limit",
        values::bytes,
        "Memory that a query of `tributary sql` may take, as `2GB`; sorts go on on disk, and the process as a whole ends at twice as much and about 700 MB. Without it: a quarter of the machine's.",
    ),
    setting(
        "lakewriter.pipeline",
        "tributary",
        values::name,
        "Name of this writer in the lake's transaction markers; one name, one consumer group.",
    ),
    unset(
        "lakewriter.group_id",
        values::name,
        "Kafka consumer group; its offsets only show the lag, the lake holds the true ones. Without it: `tributary-lakewriter-` and a number that the lake's address gives, so that writers of two lakes do not share the topics between them.",
    ),
    setting(
        "lakewriter.topics",
        "twitter\\..*",
        values::topics,
        "Topics to write, as a regular expression over whole names.",
    ),
    unset(
        "lakewriter.topic_prefix",
        values::topic,
        "Prefix whose schema topic (`<prefix>.tributary.schemas`) is read first. Without it, and for what that topic lacks: every such topic.",
    ),
    setting(
        "lakewriter.freshness",
        "1s",
        values::time,
        "Longest time from reading a record to committing it.",
    ),
    setting(
        "lakewriter.max_batch_bytes",
        "64MB",
        values::bytes,
        "Commit a table's batch at this size, however fresh.",
    ),
    setting(
        "lakewriter.max_batch_rows",
        "200000",
        values::rows,
        "Commit a table's batch at this many rows.",
    ),
    setting(
        "lakewriter.current",
        "true",
        values::yes_or_no,
        "Keep `current` beside each log `changes`: a Delta table of the rows as they are now, for tables with a key.",
    ),
    setting(
        "lakewriter.listen",
        "127.0.0.1:8084",
        values::listen,
        "Address of `/healthz`, `/readyz` and `/metrics`.",
    ),
    unset(
        "lakewriter.allowed_hosts",
        values::hosts,
        "Names that this face is reached by, as in `cdc.allowed_hosts`.",
    ),
];
