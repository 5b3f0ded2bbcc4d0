//! Every property that is known by name, and what is done with it.

use std::fmt;

/// What happens to a property that is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handling {
    /// Read by `ConnectorConfig::parse`.
    Used,
    /// Accepted without effect, for this reason.
    Ignored(&'static str),
    /// Refused unless it has the value that changes nothing: ignoring it would change what is written.
    Refused {
        neutral: &'static [&'static str],
        reason: &'static str,
    },
}

/// As the references in `docs` say it.
impl fmt::Display for Handling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Used => f.write_str("used"),
            Self::Ignored(reason) => write!(f, "accepted without effect: {reason}"),
            Self::Refused {
                neutral: [],
                reason,
            } => write!(f, "refused: {reason}"),
            Self::Refused { neutral, reason } => {
                write!(f, "refused unless `{}`: {reason}", neutral.join("` or `"))
            }
        }
    }
}

/// A property's name and handling. A name that ends in `*` stands for all names with that beginning; one that begins with
/// `*.converter.` for the same of `key.converter.`, `value.converter.` and `header.converter.`.
#[derive(Debug, Clone, Copy)]
pub struct Property {
    pub name: &'static str,
    pub handling: Handling,
}

const fn used(name: &'static str) -> Property {
    Property {
        name,
        handling: Handling::Used,
    }
}

const fn ignored(name: &'static str, reason: &'static str) -> Property {
    Property {
        name,
        handling: Handling::Ignored(reason),
    }
}

const fn refused(
    name: &'static str,
    neutral: &'static [&'static str],
    reason: &'static str,
) -> Property {
    Property {
        name,
        handling: Handling::Refused { neutral, reason },
    }
}

const JAVA: &str = "Java classes cannot be loaded";
const COPY: &str = "a snapshot is read by COPY, row by row";
const WHOLE_TABLES: &str = "`snapshot.max.threads` shares a snapshot out by tables: a table is read by one connection, not in chunks";
const BUDGET: &str = "memory is bounded by `tributary.batch.bytes`";
const SIGNALS: &str = "signals and incremental snapshots are not available yet";

/// All known properties, exact names before the patterns that would cover them.
pub const KNOWN: &[Property] = &[
    used("name"),
    used("connector.class"),
    used("topic.prefix"),
    used("topic.delimiter"),
    used("database.hostname"),
    used("database.port"),
    used("database.user"),
    used("database.password"),
    used("database.dbname"),
    used("database.sslmode"),
    used("database.sslrootcert"),
    used("database.sslcert"),
    used("database.sslkey"),
    used("database.sslpassword"),
    used("database.channelBinding"),
    used("database.requireAuth"),
    used("database.tcpKeepAlive"),
    used("database.initial.statements"),
    used("database.query.timeout.ms"),
    used("plugin.name"),
    used("slot.name"),
    used("slot.drop.on.stop"),
    used("slot.max.retries"),
    used("slot.retry.delay.ms"),
    used("slot.stream.params"),
    used("publication.name"),
    used("publication.autocreate.mode"),
    used("schema.include.list"),
    used("schema.exclude.list"),
    used("table.include.list"),
    used("table.exclude.list"),
    used("column.include.list"),
    used("column.exclude.list"),
    used("message.key.columns"),
    used("column.mask.with.*"),
    used("column.mask.hash.*"),
    used("column.truncate.to.*"),
    used("column.propagate.source.type"),
    used("datatype.propagate.source.type"),
    used("debezium.compat"),
    used("source.version"),
    used("extended.headers.enabled"),
    used("tombstones.on.delete"),
    used("skipped.operations"),
    used("decimal.handling.mode"),
    used("time.precision.mode"),
    used("interval.handling.mode"),
    used("hstore.handling.mode"),
    used("binary.handling.mode"),
    used("money.fraction.digits"),
    used("include.unknown.datatypes"),
    used("unavailable.value.placeholder"),
    used("schema.name.adjustment.mode"),
    used("field.name.adjustment.mode"),
    used("provide.transaction.metadata"),
    used("topic.transaction"),
    used("event.processing.failure.handling.mode"),
    used("skip.messages.without.change"),
    used("heartbeat.interval.ms"),
    used("heartbeat.action.query"),
    used("topic.heartbeat.prefix"),
    used("topic.heartbeat.name"),
    used("message.prefix.include.list"),
    used("message.prefix.exclude.list"),
    used("snapshot.mode"),
    used("snapshot.mode.configuration.based.*"),
    used("snapshot.include.collection.list"),
    used("snapshot.select.statement.overrides"),
    used("snapshot.select.statement.overrides.*"),
    used("snapshot.delay.ms"),
    used("streaming.delay.ms"),
    used("snapshot.tables.order.by.row.count"),
    used("snapshot.locking.mode"),
    used("snapshot.lock.timeout.ms"),
    used("snapshot.max.threads"),
    used("snapshot.isolation.mode"),
    used("create.slot.command.timeout"),
    used("slot.failover"),
    used("replica.identity.autoset.values"),
    used("publish.via.partition.root"),
    used("flush.lsn.source"),
    used("lsn.flush.mode"),
    used("xmin.fetch.interval.ms"),
    used("offset.mismatch.strategy"),
    used("status.update.interval.ms"),
    used("retriable.restart.connector.wait.ms"),
    used("errors.max.retries"),
    used("errors.tolerance"),
    used("custom.metric.tags"),
    used("errors.log.enable"),
    used("guardrail.collections.max"),
    used("guardrail.collections.limit.action"),
    used("exactly.once.support"),
    used("delivery.guarantee"),
    used("tributary.spill.memory.bytes"),
    used("tributary.spill.folder"),
    used("tributary.batch.bytes"),
    used("tributary.commit.interval.ms"),
    used("max.queue.size"),
    used("max.batch.size"),
    used("max.queue.size.in.bytes"),
    used("poll.interval.ms"),
    used("key.converter"),
    used("value.converter"),
    used("header.converter"),
    used("*.converter.schemas.enable"),
    used("*.converter.decimal.format"),
    used("*.converter.replace.null.with.default"),
    used("*.converter.schema.registry.url"),
    used("*.converter.basic.auth.credentials.source"),
    used("*.converter.basic.auth.user.info"),
    used("*.converter.schema.registry.basic.auth.user.info"),
    used("*.converter.auto.register.schemas"),
    used("*.converter.use.latest.version"),
    used("*.converter.normalize.schemas"),
    used("*.converter.key.subject.name.strategy"),
    used("*.converter.value.subject.name.strategy"),
    used("*.converter.connect.meta.data"),
    used("*.converter.ignore.default.for.nullables"),
    used("*.converter.schema.registry.ssl.truststore.location"),
    used("*.converter.schema.registry.ssl.truststore.type"),
    used("*.converter.schema.registry.ssl.keystore.location"),
    used("*.converter.schema.registry.ssl.keystore.type"),
    used("*.converter.schema.registry.ssl.key.password"),
    used("*.converter.apicurio.registry.url"),
    used("*.converter.apicurio.registry.as-confluent"),
    used("*.converter.apicurio.registry.use-id"),
    used("*.converter.apicurio.registry.headers.enabled"),
    used("*.converter.apicurio.registry.auto-register"),
    used("*.converter.apicurio.registry.find-latest"),
    used("*.converter.apicurio.registry.artifact-resolver-strategy"),
    used("*.converter.apicurio.registry.auth.username"),
    used("*.converter.apicurio.registry.auth.password"),
    used("*.converter.apicurio.registry.request.ssl.truststore.location"),
    used("*.converter.apicurio.registry.request.ssl.truststore.type"),
    used("*.converter.serializer.type"),
    used("*.converter.data.serializer.type"),
    used("*.converter.json.schemas.enable"),
    used("*.converter.json.decimal.format"),
    used("*.converter.json.replace.null.with.default"),
    used("*.converter.extension.attributes.enable"),
    used("*.converter.metadata.source"),
    used("*.converter.schema.data.name.source.header.enable"),
    used("*.converter.opentelemetry.tracing.attributes.enable"),
    used("transforms"),
    used("transforms.*"),
    used("topic.creation.groups"),
    used("topic.creation.*"),
    used("producer.override.*"),
    ignored("tasks.max", "one slot has one reader"),
    ignored("tasks.max.enforce", "one slot has one reader"),
    ignored("task.class", "set by Kafka Connect for its own use"),
    ignored("*.converter.schemas.cache.size", "every schema is kept"),
    ignored("*.converter.schemas.cache.config", "every schema is kept"),
    ignored(
        "*.converter.max.schemas.per.subject",
        "every schema is kept",
    ),
    ignored(
        "*.converter.converter.type",
        "the place of the converter says it",
    ),
    ignored(
        "*.converter.latest.compatibility.strict",
        "the newest schema must be equal",
    ),
    ignored(
        "*.converter.flatten.singleton.unions",
        "it concerns readers",
    ),
    ignored(
        "*.converter.allow.optional.map.keys",
        "no map has such keys",
    ),
    ignored(
        "*.converter.apicurio.registry.auto-register.if-exists",
        "an equal schema keeps its id",
    ),
    ignored(
        "*.converter.apicurio.registry.check-period-ms",
        "schemas do not change under their ids",
    ),
    ignored(
        "*.converter.apicurio.registry.retry-count",
        "the registry is tried five times",
    ),
    ignored(
        "*.converter.apicurio.registry.retry-backoff-ms",
        "the registry is tried five times",
    ),
    refused(
        "*.converter.enhanced.avro.schema.support",
        &["false"],
        "it is not available",
    ),
    refused(
        "*.converter.scrub.invalid.names",
        &["false"],
        "set schema.name.adjustment.mode and field.name.adjustment.mode to avro instead",
    ),
    refused(
        "*.converter.generalized.sum.type.support",
        &["false"],
        "it is not available",
    ),
    refused(
        "*.converter.discard.type.doc.default",
        &["false"],
        "it is not available",
    ),
    refused(
        "*.converter.bearer.auth.*",
        &[],
        "only basic auth is available",
    ),
    refused("*.converter.context.name.strategy", &[], JAVA),
    refused(
        "*.converter.proxy.host",
        &[],
        "the registry is asked directly",
    ),
    refused(
        "*.converter.schema.registry.ssl.truststore.password",
        &[],
        "only PEM files are read, which have none",
    ),
    refused(
        "*.converter.schema.registry.ssl.keystore.password",
        &[],
        "only PEM files are read: see schema.registry.ssl.key.password",
    ),
    refused(
        "*.converter.schema.registry.ssl.endpoint.identification.algorithm",
        &["https"],
        "host names are always verified",
    ),
    refused("*.converter.use.schema.id", &[], "it is not available"),
    refused(
        "*.converter.rule.*",
        &[],
        "data contracts are not available",
    ),
    refused(
        "*.converter.apicurio.registry.artifact.group-id",
        &["default"],
        "only the default group has Confluent's face",
    ),
    refused(
        "*.converter.apicurio.registry.artifact.*",
        &[],
        "artifacts are found by their schemas",
    ),
    refused(
        "*.converter.apicurio.registry.auth.*",
        &[],
        "only basic auth is available",
    ),
    refused("*.converter.apicurio.registry.id-handler", &[], JAVA),
    ignored(
        "*.converter.schema.cloudevents.name",
        "cloud events are JSON without a schema that had a name",
    ),
    ignored(
        "*.converter.schema.name.adjustment.mode",
        "cloud events are JSON without a schema that had a name",
    ),
    ignored("*.converter.avro.*", "cloud events are JSON"),
    ignored("*.converter.*", "it has no effect on what is written"),
    ignored(
        "config.action.reload",
        "settings are read when the connector starts",
    ),
    ignored("errors.log.include.messages", "row values are never logged"),
    ignored("errors.retry.timeout", "see `errors.max.retries`"),
    ignored(
        "errors.retry.delay.max.ms",
        "see `retriable.restart.connector.wait.ms`",
    ),
    ignored("transaction.boundary", "see `delivery.guarantee`"),
    ignored(
        "transaction.boundary.interval.ms",
        "see `delivery.guarantee`",
    ),
    ignored(
        "database.sslfactory",
        "Java classes cannot be loaded: `database.sslmode` and `database.sslrootcert` decide whom to trust",
    ),
    ignored("database.include.list", "a connector reads one database"),
    ignored("database.exclude.list", "a connector reads one database"),
    ignored(
        "database.server.name",
        "it is called `topic.prefix` since Debezium 2",
    ),
    ignored(
        "topic.cache.size",
        "topic names are worked out once per table",
    ),
    ignored("table.ignore.builtin", "system tables are never captured"),
    ignored(
        "include.schema.changes",
        "PostgreSQL connectors have no schema change topic",
    ),
    ignored(
        "include.schema.comments",
        "it has no effect in Debezium 2.7 either",
    ),
    ignored(
        "incremental.snapshot.allow.schema.changes",
        "it concerns MySQL",
    ),
    ignored("incremental.snapshot.chunk.size", SIGNALS),
    ignored("incremental.snapshot.watermarking.strategy", SIGNALS),
    ignored("signal.poll.interval.ms", SIGNALS),
    ignored("schema.refresh.mode", "it has no effect with pgoutput"),
    ignored("snapshot.fetch.size", COPY),
    ignored("query.fetch.size", COPY),
    ignored("snapshot.max.threads.multiplier", WHOLE_TABLES),
    ignored("legacy.snapshot.max.threads", WHOLE_TABLES),
    ignored("snapshot.locking.mode.custom.name", JAVA),
    ignored("snapshot.mode.custom.name", JAVA),
    ignored("snapshot.query.mode.custom.name", JAVA),
    ignored(
        "heartbeat.topics.prefix",
        "it is called `topic.heartbeat.prefix` since Debezium 2",
    ),
    refused(
        "transaction.metadata.factory",
        &["io.debezium.pipeline.txmetadata.DefaultTransactionMetadataFactory"],
        JAVA,
    ),
    ignored(
        "event.converting.failure.handling.mode",
        "PostgreSQL connectors ignore it",
    ),
    ignored("statistics.metrics.enabled", "see /metrics"),
    ignored("advanced.metrics.enable", "see /metrics"),
    ignored("openlineage.integration.*", "lineage is not reported"),
    ignored("poll.dispatch.interval.ms", BUDGET),
    ignored("queue.provider.type", BUDGET),
    ignored("executor.shutdown.timeout.ms", "there is no executor"),
    ignored(
        "connection.validation.timeout.ms",
        "connections are tried when they are made",
    ),
    ignored("offset.activity.monitor.interval.ms", "see /metrics"),
    ignored("lsn.flush.timeout.ms", "confirming an LSN does not wait"),
    ignored(
        "lsn.flush.timeout.action",
        "confirming an LSN does not wait",
    ),
    ignored(
        "offset.storage*",
        "offsets live in the worker's offsets topic",
    ),
    ignored(
        "offset.flush.*",
        "the position is stored with the events that it is of",
    ),
    ignored(
        "schema.history.internal*",
        "PostgreSQL connectors have no schema history",
    ),
    ignored("internal.*", "it belongs to Debezium's own tests"),
    refused(
        "sourceinfo.struct.maker",
        &["io.debezium.connector.postgresql.PostgresSourceInfoStructMaker"],
        JAVA,
    ),
    refused(
        "topic.naming.strategy",
        &["io.debezium.schema.SchemaTopicNamingStrategy"],
        JAVA,
    ),
    refused("converters", &[], JAVA),
    refused("post.processors", &[], "post processors are not available"),
    refused(
        "predicates",
        &[],
        "predicates are not available: remove them or filter with `table.include.list`",
    ),
    refused("predicates.*", &[], "predicates are not available"),
    refused(
        "offsets.storage.topic",
        &[],
        "offsets live in the worker's offsets topic",
    ),
    refused(
        "snapshot.query.mode",
        &["select_all"],
        "only select_all is available",
    ),
    refused("read.only", &["false"], SIGNALS),
    refused("signal.data.collection", &[], SIGNALS),
    refused("signal.enabled.channels", &["source"], SIGNALS),
    refused("signal.*", &[], SIGNALS),
    refused(
        "notification.enabled.channels",
        &[],
        "notifications are not available yet",
    ),
    refused(
        "notification.sink.topic.name",
        &[],
        "notifications are not available yet",
    ),
];
