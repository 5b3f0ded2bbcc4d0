use anyhow::{Result, ensure};
use serde_json::json;
use stack::{Postgres, PostgresOptions};

use crate::ask::ask;

/// Both forms of a connector, with a property that nobody knows, one that cannot be and one without effect.
#[tokio::test]
async fn a_connector_is_looked_at_with_its_properties() -> Result<()> {
    let postgres = Postgres::start_with(PostgresOptions {
        max_slot_wal_keep_size: Some("1GB".to_owned()),
        ..PostgresOptions::default()
    })
    .await?;
    let sql = "create table t (id int primary key, n numeric)";
    postgres.execute("postgres", sql).await?;
    let config = json!({
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "database.hostname": "127.0.0.1", "database.port": postgres.port(),
        "database.user": postgres.user(), "database.password": postgres.password(),
        "database.dbname": "postgres", "topic.prefix": "shop",
        "plugin.name": "wal2json", "snapshot.mod": "initial",
        "publication.autocreate.mode": "disabled",
    });
    let folder = tempfile::tempdir()?;
    for document in [json!({"name": "shop", "config": config}), config.clone()] {
        let file = folder.path().join("shop.json");
        std::fs::write(&file, document.to_string())?;
        let answer = ask(&["--connector", &file.display().to_string()]).await?;
        ensure!(answer.code == 1, "{}", answer.text);
        for (code, severity) in [
            ("property-refused", "error"),
            ("property-unknown", "warning"),
            ("publication-missing", "error"),
            ("numeric-without-scale", "note"),
        ] {
            ensure!(answer.severity(code) == severity, "{code}: {}", answer.text);
        }
        ensure!(answer.text.contains("snapshot.mode"), "{}", answer.text);
    }
    let mut mended = config;
    mended["plugin.name"] = json!("pgoutput");
    mended["snapshot.mode"] = mended["snapshot.mod"].take();
    mended["publication.autocreate.mode"] = json!("filtered");
    mended["table.exclude.list"] = json!("public\\.none");
    mended["column.exclude.list"] = json!("public\\.t\\.n");
    if let Some(map) = mended.as_object_mut() {
        map.remove("snapshot.mod");
    }
    let file = folder.path().join("mended.json");
    std::fs::write(&file, mended.to_string())?;
    let answer = ask(&["--connector", &file.display().to_string()]).await?;
    ensure!(
        answer.code == 0 && answer.codes().is_empty(),
        "{}",
        answer.text
    );
    Ok(())
}
