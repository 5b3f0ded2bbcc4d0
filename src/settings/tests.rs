//! Where settings come from and which one wins, and how problems with them are told.

use super::*;

fn environment(pairs: &[(&str, &str)]) -> std::vec::IntoIter<(String, String)> {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect::<Vec<_>>()
        .into_iter()
}

#[test]
fn environment_goes_over_file_and_flag_over_both() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.toml");
    fs::write(&file, "[lake]\nurl = \"from-file\"\nregion = \"eu\"\n").unwrap();
    let mut settings = Settings::load(
        Some(&file),
        environment(&[("TRIBUTARY_LAKE__URL", "from-env"), ("HOME", "x")]),
    )
    .unwrap();
    assert_eq!(settings.get("lake.url"), Some("from-env"));
    assert_eq!(settings.get("lake.region"), Some("eu"));
    settings.set_flag("lake.url", Some("from-flag")).unwrap();
    settings.set_flag("lake.region", None::<&str>).unwrap();
    assert_eq!(settings.get("lake.url"), Some("from-flag"));
    assert_eq!(settings.get("lake.region"), Some("eu"));
}

#[test]
fn every_unknown_key_is_reported_with_the_nearest_name() {
    let error = Settings::load(
        None,
        environment(&[
            ("TRIBUTARY_LAKE__URK", "x"),
            ("TRIBUTARY_NO__SUCH_THING", "y"),
        ]),
    )
    .unwrap_err()
    .to_string();
    assert!(error.contains("did you mean `lake.url`?"), "{error}");
    assert!(error.contains("`no.such_thing`"), "{error}");
}

#[test]
fn secrets_come_from_files_and_are_not_printed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    fs::write(&file, "hunter2\n").unwrap();
    let path = file.display().to_string();
    let settings = Settings::load(
        None,
        environment(&[("TRIBUTARY_LAKE__SECRET_ACCESS_KEY_FILE", &path)]),
    )
    .unwrap();
    assert_eq!(settings.get("lake.secret_access_key"), Some("hunter2"));
    assert!(!settings.print().contains("hunter2"));
}

#[test]
fn a_connector_stands_in_the_section_and_in_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.toml");
    let text = r#"
[cdc]
listen = "127.0.0.1:1"
"topic.prefix" = "p"
"table.include.list" = ["public.a", "public.b{1,2}"]
"tasks.max" = 1

[cdc.database]
hostname = "from-file"
password = "hunter2"

[cdc.transforms.route]
type = "T"
"#;
    fs::write(&file, text).unwrap();
    let settings = Settings::load(
        Some(&file),
        environment(&[("TRIBUTARY_CDC_DATABASE_HOSTNAME", "from-env")]),
    )
    .unwrap();
    assert_eq!(settings.get("cdc.listen"), Some("127.0.0.1:1"));
    let connector = settings.connector().unwrap().unwrap();
    assert_eq!(connector.name, "p");
    for (name, want) in [
        ("database.hostname", "from-env"),
        ("database.password", "hunter2"),
        ("table.include.list", r"public.a,public.b{1\,2}"),
        ("tasks.max", "1"),
        ("transforms", "route"),
        ("transforms.route.type", "T"),
    ] {
        assert_eq!(connector.properties[name], want, "{name}");
    }
    let printed = settings.print();
    assert!(
        printed.contains("cdc.database.hostname = from-env # TRIBUTARY_CDC_DATABASE_HOSTNAME")
            && !printed.contains("hunter2"),
        "{printed}"
    );

    fs::write(&file, "[cdc]\n\"tabel.include.list\" = \"x\"\n").unwrap();
    let error = Settings::load(Some(&file), environment(&[])).unwrap_err();
    assert!(error.to_string().contains("tabel.include.list"), "{error}");
    let none = Settings::load(None, environment(&[])).unwrap();
    assert!(none.connector().unwrap().is_none());
}

#[test]
fn a_value_that_cannot_be_is_told_whichever_command_runs() {
    for (variable, value, told) in [
        (
            "TRIBUTARY_LAKEWRITER__FRESHNESS",
            "banana",
            "lakewriter.freshness = `banana`",
        ),
        (
            "TRIBUTARY_LAKEWRITER__MAX_BATCH_BYTES",
            "64 bananas",
            "lakewriter.max_batch_bytes",
        ),
        (
            "TRIBUTARY_LAKEWRITER__MAX_BATCH_ROWS",
            "0",
            "lakewriter.max_batch_rows",
        ),
        ("TRIBUTARY_LAKEWRITER__LISTEN", "8084", "lakewriter.listen"),
        ("TRIBUTARY_CDC__LISTEN", "everywhere", "cdc.listen"),
        ("TRIBUTARY_GENERATOR__RATE", "fast", "generator.rate"),
        ("TRIBUTARY_GENERATOR__MIX", "all", "generator.mix"),
        ("TRIBUTARY_GENERATOR__SEED", "-1", "generator.seed"),
        ("TRIBUTARY_LOG__FORMAT", "xml", "log.format"),
    ] {
        let error = Settings::load(None, environment(&[(variable, value)]))
            .expect_err(variable)
            .to_string();
        assert!(error.contains(told) && error.contains(variable), "{error}");
    }
}

#[test]
fn a_variable_with_one_underscore_is_told_and_has_no_effect() {
    let settings = Settings::load(
        None,
        environment(&[
            ("TRIBUTARY_LAKE_URL", "s3://mine"),
            ("TRIBUTARY_CDC_LISTEN", "0.0.0.0:1"),
        ]),
    )
    .unwrap();
    assert_eq!(settings.get("lake.url"), Some("data/lake"));
    assert_eq!(
        settings.warnings(),
        [
            "the variable TRIBUTARY_LAKE_URL has no effect; did you mean TRIBUTARY_LAKE__URL?",
            "the variable TRIBUTARY_CDC_LISTEN has no effect; did you mean TRIBUTARY_CDC__LISTEN?",
        ]
    );
    assert!(settings.connector().unwrap().is_none());
}
