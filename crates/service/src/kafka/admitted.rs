//! Which settings of a Kafka client somebody may set from outside.
//!
//! librdkafka's settings are not only numbers: `plugin.library.paths`, `ssl.providers` and `ssl.engine.location` load a
//! library, `sasl.kerberos.kinit.cmd` runs a command, others open files or are pointers of the program. Whoever may post a
//! connector may set them. So only what is named here is passed, and what a later librdkafka adds is refused.

/// What becomes of one setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It is passed, under librdkafka's name.
    Passed(&'static str),
    /// It is one of Kafka's Java client, and there is nothing here that it could change.
    WithoutEffect,
    /// Why not.
    Refused(&'static str),
}

/// Names of the Java client and of librdkafka, and what librdkafka calls them. Security is `security.rs`'s.
const PASSED: [(&str, &str); 37] = [
    ("batch.num.messages", "batch.num.messages"),
    ("batch.size", "batch.size"),
    ("broker.address.family", "broker.address.family"),
    ("broker.address.ttl", "broker.address.ttl"),
    ("client.dns.lookup", "client.dns.lookup"),
    ("client.id", "client.id"),
    ("client.rack", "client.rack"),
    ("compression.codec", "compression.codec"),
    ("compression.level", "compression.level"),
    ("compression.type", "compression.type"),
    ("connections.max.idle.ms", "connections.max.idle.ms"),
    // Of consumers; a producer takes no notice.
    ("heartbeat.interval.ms", "heartbeat.interval.ms"),
    ("linger.ms", "linger.ms"),
    ("max.request.size", "message.max.bytes"),
    ("message.max.bytes", "message.max.bytes"),
    ("metadata.max.age.ms", "metadata.max.age.ms"),
    ("queue.buffering.max.kbytes", "queue.buffering.max.kbytes"),
    (
        "queue.buffering.max.messages",
        "queue.buffering.max.messages",
    ),
    ("queue.buffering.max.ms", "queue.buffering.max.ms"),
    ("receive.buffer.bytes", "socket.receive.buffer.bytes"),
    ("receive.message.max.bytes", "receive.message.max.bytes"),
    ("reconnect.backoff.max.ms", "reconnect.backoff.max.ms"),
    ("reconnect.backoff.ms", "reconnect.backoff.ms"),
    ("request.timeout.ms", "request.timeout.ms"),
    ("retry.backoff.max.ms", "retry.backoff.max.ms"),
    ("retry.backoff.ms", "retry.backoff.ms"),
    ("send.buffer.bytes", "socket.send.buffer.bytes"),
    (
        "socket.connection.setup.timeout.ms",
        "socket.connection.setup.timeout.ms",
    ),
    ("session.timeout.ms", "session.timeout.ms"),
    ("socket.keepalive.enable", "socket.keepalive.enable"),
    ("socket.nagle.disable", "socket.nagle.disable"),
    ("socket.receive.buffer.bytes", "socket.receive.buffer.bytes"),
    ("socket.send.buffer.bytes", "socket.send.buffer.bytes"),
    ("socket.timeout.ms", "socket.timeout.ms"),
    (
        "topic.metadata.propagation.max.ms",
        "topic.metadata.propagation.max.ms",
    ),
    (
        "topic.metadata.refresh.interval.ms",
        "topic.metadata.refresh.interval.ms",
    ),
    (
        "topic.metadata.refresh.sparse",
        "topic.metadata.refresh.sparse",
    ),
];

/// Settings of the Java client that have no counterpart.
const JAVA_ONLY: [&str; 18] = [
    "auto.include.jmx.reporter",
    "buffer.memory",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.zstd.level",
    "enable.metrics.push",
    "interceptor.classes",
    "key.serializer",
    "max.block.ms",
    "metadata.max.idle.ms",
    "metric.reporters",
    "metrics.num.samples",
    "metrics.recording.level",
    "metrics.sample.window.ms",
    "partitioner.adaptive.partitioning.enable",
    "partitioner.availability.timeout.ms",
    "socket.connection.setup.timeout.max.ms",
    "value.serializer",
];

/// What `delivery.guarantee` decides: exactly once would be no more, or the producer would not open.
const DELIVERY: [&str; 18] = [
    "acks",
    "bootstrap.servers",
    "enable.gapless.guarantee",
    "enable.idempotence",
    "max.in.flight",
    "message.send.max.retries",
    "message.timeout.ms",
    "metadata.broker.list",
    "partitioner",
    "partitioner.class",
    "partitioner.ignore.keys",
    "queuing.strategy",
    "request.required.acks",
    "retries",
    "transaction.timeout.ms",
    "transaction.two.phase.commit.enable",
    "transactional.id",
    "delivery.report.only.error",
];

/// What becomes of a setting that is none of security.
pub(super) fn admission(name: &str, value: &str) -> Admission {
    if let Some((_, passed)) = PASSED.iter().find(|(known, _)| *known == name) {
        return Admission::Passed(passed);
    }
    if JAVA_ONLY.contains(&name) {
        return Admission::WithoutEffect;
    }
    // Set by many; none of it can weaken what is done anyway.
    let is_done = match name {
        "acks" | "request.required.acks" => matches!(value.trim(), "all" | "-1"),
        "delivery.timeout.ms" | "max.in.flight.requests.per.connection" => true,
        "retries" => value.trim() != "0",
        _ => false,
    };
    if is_done {
        return Admission::WithoutEffect;
    }
    if DELIVERY.contains(&name) {
        return Admission::Refused(
            "it decides about delivery, which `delivery.guarantee` does: remove it",
        );
    }
    Admission::Refused(
        "it is none of the settings that may be passed to the Kafka client (docs/security.md names them): remove it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_passed_by_name_alone() {
        for (name, value, want) in [
            ("linger.ms", "5", Admission::Passed("linger.ms")),
            (
                "max.request.size",
                "2000000",
                Admission::Passed("message.max.bytes"),
            ),
            (
                "send.buffer.bytes",
                "65536",
                Admission::Passed("socket.send.buffer.bytes"),
            ),
            ("buffer.memory", "1", Admission::WithoutEffect),
            ("acks", "all", Admission::WithoutEffect),
            ("acks", " -1", Admission::WithoutEffect),
            ("retries", "2147483647", Admission::WithoutEffect),
        ] {
            assert_eq!(admission(name, value), want, "{name}");
        }
        for name in DELIVERY {
            let refused = admission(name, "0");
            assert!(
                matches!(refused, Admission::Refused(reason) if reason.contains("delivery.guarantee")),
                "{name}"
            );
        }
        for name in ["", "LINGER.MS", " linger.ms", "plugin.library.paths"] {
            assert!(
                matches!(admission(name, "1"), Admission::Refused(_)),
                "{name}"
            );
        }
    }
}
