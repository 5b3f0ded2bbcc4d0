//! The properties of a worker: from its file, from the variables of Kafka Connect's images, and what is refused.

use connector::ConnectorFile;

use super::*;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn config() -> WorkerConfig {
    WorkerConfig::new("k:9092", SocketAddr::from(([127, 0, 0, 1], 8083)))
}

#[test]
fn variables_of_the_images_are_properties() {
    for (variable, want) in [
        ("CONNECT_BOOTSTRAP_SERVERS", Some("bootstrap.servers")),
        (
            "CONNECT_CONFIG_STORAGE_REPLICATION_FACTOR",
            Some("config.storage.replication.factor"),
        ),
        (
            "CONNECT_CONFIG_PROVIDERS_MY__FILE_CLASS",
            Some("config.providers.my_file.class"),
        ),
        (
            "CONNECT_CONFIG_PROVIDERS_A___B_CLASS",
            Some("config.providers.a-b.class"),
        ),
        ("CONNECT_LOG4J_ROOT_LOGLEVEL", None),
        ("CONNECT_", None),
        ("BOOTSTRAP_SERVERS", None),
    ] {
        assert_eq!(
            property_of_variable(variable).as_deref(),
            want,
            "{variable}"
        );
    }
}

#[test]
fn connects_properties_are_taken_over() {
    let mut worker = config();
    worker
        .apply(&map(&[
            ("bootstrap.servers", "a:1,b:2"),
            ("group.id", "g"),
            ("config.storage.topic", "c"),
            ("offset.storage.topic", "o"),
            ("offset.storage.partitions", "25"),
            ("status.storage.topic", "s"),
            ("status.storage.replication.factor", "3"),
            ("rest.port", "8084"),
            ("rest.advertised.host.name", "me"),
            ("rest.show.passwords", "true"),
            ("value.converter", "J"),
            ("value.converter.schemas.enable", "false"),
            ("producer.compression.type", "zstd"),
            ("producer.enable.idempotence", "true"),
            ("security.protocol", "SSL"),
            ("ssl.ca.location", "/ca"),
            ("plugin.path", "/kafka/connect"),
            ("config.providers", ""),
        ]))
        .unwrap();
    assert_eq!(worker.bootstrap_servers, "a:1,b:2");
    assert_eq!(
        (
            &*worker.group_id,
            &*worker.config_topic,
            &*worker.offset_topic,
            &*worker.status_topic
        ),
        ("g", "c", "o", "s")
    );
    assert_eq!(
        (worker.offset_partitions, worker.status_partitions),
        (25, 1)
    );
    assert_eq!(worker.replication_factor, 3);
    assert_eq!(worker.rest_listen.to_string(), "127.0.0.1:8084");
    assert_eq!(worker.advertised.as_deref(), Some("me:8084"));
    assert!(worker.show_secrets);
    assert_eq!(
        worker.converter_defaults,
        map(&[
            ("producer.override.compression.type", "zstd"),
            ("value.converter", "J"),
            ("value.converter.schemas.enable", "false"),
        ])
    );
    assert_eq!(
        worker.kafka_overrides,
        map(&[("security.protocol", "SSL"), ("ssl.ca.location", "/ca")])
    );
}

#[test]
fn listeners_say_where_to_listen() {
    for (listener, want) in [
        ("http://:8090", "0.0.0.0:8090"),
        ("HTTP://127.0.0.1:8090/", "127.0.0.1:8090"),
        ("http://[::1]:8090", "[::1]:8090"),
    ] {
        let mut worker = config();
        worker.apply(&map(&[("listeners", listener)])).unwrap();
        assert_eq!(worker.rest_listen.to_string(), want);
    }
}

#[test]
fn everything_wrong_is_in_one_message_without_secrets() {
    let error = config()
        .apply(&map(&[
            ("listeners", "https://:8443"),
            ("rest.port", "many"),
            ("rest.show.passwords", "perhaps"),
            ("rest.basic.auth.password", "hunter2"),
            ("rest.extension.classes", "com.example.Audit"),
            ("offset.storage.partitions", "some"),
            ("producer.plugin.library.paths", "/tmp/x.so"),
            ("listeners.https.ssl.keystore.location", "/store.jks"),
            ("config.providers", "vault"),
            ("config.providers.vault.class", "com.example.Vault"),
        ]))
        .unwrap_err();
    let text = service::render_error(&error, None);
    for word in [
        "https wants rest.tls.certificate",
        "`rest.port` is `many`",
        "`rest.show.passwords` is",
        "`rest.basic.auth.user` is",
        "Java classes cannot be loaded",
        "`offset.storage.partitions` is `some`",
        "`producer.plugin.library.paths` is `/tmp/x.so`: it is none of the settings",
        "keystore.type=PEM",
        "config.providers.vault.class",
    ] {
        assert!(text.contains(word), "{word} is not in: {text}");
    }
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn secrets_of_a_worker_are_not_shown() {
    let jaas = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"u\" password=\"hunter2\";";
    let mut worker = config();
    worker
        .apply(&map(&[
            ("rest.basic.auth.user", "u"),
            ("rest.basic.auth.password", "hunter2"),
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.jaas.config", jaas),
            ("producer.sasl.jaas.config", jaas),
        ]))
        .unwrap();
    assert!(worker.kafka_overrides.contains_key("sasl.jaas.config"));
    let connector = map(&[("name", "n"), ("database.password", "hunter2")]);
    let file = ConnectorFile::from_settings(connector, "n").unwrap();
    worker.connectors.push(file);
    let shown = format!("{worker:?}");
    assert!(
        shown.contains("k:9092") && !shown.contains("hunter2"),
        "{shown}"
    );
}
