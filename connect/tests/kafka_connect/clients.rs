//! The calls of the programs that people use: curl as in Debezium's tutorial, and Kafka UI.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stack::{Postgres, until};

use crate::rest::{CLASS, PATIENCE, Rest, connector, servers};

/// Of Debezium's tutorial; host, port and login are those of the test's server.
fn tutorial(postgres: &Postgres) -> Value {
    json!({"name": "inventory-connector", "config": {
        "connector.class": CLASS, "tasks.max": "1",
        "database.hostname": "localhost", "database.port": postgres.port().to_string(),
        "database.user": postgres.user(), "database.password": postgres.password(),
        "database.dbname": "rest", "topic.prefix": "dbserver1", "schema.include.list": "inventory"}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_and_kafka_ui_are_served() -> Result<()> {
    let (kafka, postgres) = servers().await?;
    let rest = Rest::start(|_| {}, &kafka).await?;
    registered_by_curl(&rest, &postgres).await?;
    rest.task_state("inventory-connector", "RUNNING").await?;
    until("the snapshot in Kafka", PATIENCE, async || {
        let records = kafka.read_all("dbserver1.inventory.tweets", true).await?;
        Ok((records.len() == 1).then_some(()))
    })
    .await?;
    slashes_at_the_end(&rest).await?;
    kafka_ui(&rest, &postgres).await?;
    // What operators of Kafka on Kubernetes probe.
    let healthy = "Worker has completed startup and is ready to handle requests.";
    let want = json!({"status": "healthy", "message": healthy});
    rest.expect("GET", "/health", None, 200, want).await?;
    rest.end().await
}

/// The command line of the tutorial, with its slash at the end.
async fn registered_by_curl(rest: &Rest, postgres: &Postgres) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("register-postgres.json");
    std::fs::write(&file, serde_json::to_string_pretty(&tutorial(postgres))?)?;
    let url = format!("http://{}/connectors/", rest.address);
    let mut curl = Command::new("curl");
    curl.current_dir(folder.path()).args([
        "-s",
        "-i",
        "--noproxy",
        "*",
        "-X",
        "POST",
        "-H",
        "Accept:application/json",
        "-H",
        "Content-Type:application/json",
        &url,
        "-d",
        "@register-postgres.json",
    ]);
    let output = tokio::task::spawn_blocking(move || curl.output()).await?;
    let output = output.context("run curl")?;
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(answer.starts_with("HTTP/1.1 201 Created"), "{answer}");
    let (headers, body) = answer.split_once("\r\n\r\n").context("no body")?;
    let location = format!("http://{}/connectors/inventory-connector", rest.address);
    ensure!(
        headers
            .to_lowercase()
            .contains(&format!("location: {location}")),
        "{headers}"
    );
    let body: Value = serde_json::from_str(body)?;
    assert_eq!(body["name"], "inventory-connector");
    assert_eq!(
        (&body["tasks"], &body["type"]),
        (&json!([]), &json!("source"))
    );
    Ok(())
}

/// Each call means the same with a slash at the end.
async fn slashes_at_the_end(rest: &Rest) -> Result<()> {
    let c = "/connectors/inventory-connector";
    let reads = [
        "/connectors",
        c,
        &format!("{c}/config"),
        &format!("{c}/status"),
        &format!("{c}/tasks"),
        &format!("{c}/tasks-config"),
        &format!("{c}/tasks/0/status"),
        &format!("{c}/topics"),
        &format!("{c}/offsets"),
        "/connector-plugins",
        "/connector-plugins/PostgresConnector/config",
        "/admin/loggers",
        "/admin/loggers/root",
        "/connectors/nosuch",
        "/nosuch",
    ];
    for path in reads {
        let (with, without) = (rest.get(&format!("{path}/")).await?, rest.get(path).await?);
        assert_eq!(with.status, without.status, "{path}");
        assert_eq!(with.json()?, without.json()?, "{path}");
    }
    let config = rest.get(&format!("{c}/config")).await?.json()?;
    let class = "/connector-plugins/PostgresConnector/config/validate";
    let body = json!({"level": "INFO"});
    for (method, path, body, status) in [
        ("PUT", format!("{c}/pause"), None, 202),
        ("PUT", format!("{c}/resume"), None, 202),
        ("PUT", format!("{c}/topics/reset"), None, 202),
        ("PUT", format!("{c}/config"), Some(&config), 200),
        ("PATCH", format!("{c}/config"), Some(&json!({})), 200),
        ("PUT", class.to_owned(), Some(&config), 200),
        ("PUT", "/admin/loggers/root".to_owned(), Some(&body), 200),
        ("POST", format!("{c}/restart"), None, 204),
        ("POST", format!("{c}/tasks/0/restart"), None, 204),
        ("PUT", format!("{c}/stop"), None, 204),
        ("PATCH", format!("{c}/offsets"), Some(&json!({})), 400),
        ("DELETE", format!("{c}/offsets"), None, 200),
        ("PUT", format!("{c}/resume"), None, 202),
    ] {
        for path in [path.clone(), format!("{path}/")] {
            let answer = rest.call(method, &path, body).await?;
            assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        }
    }
    rest.task_state("inventory-connector", "RUNNING").await?;
    Ok(())
}

fn all_text(config: &Value) -> bool {
    config
        .as_object()
        .is_some_and(|config| config.values().all(Value::is_string))
}

/// What Kafka UI asks while somebody clicks through its pages, and the types that its client insists on.
async fn kafka_ui(rest: &Rest, postgres: &Postgres) -> Result<()> {
    let all = rest
        .get("/connectors?expand=info&expand=status")
        .await?
        .json()?;
    let one = &all["inventory-connector"];
    ensure!(all_text(&one["info"]["config"]), "{one}");
    ensure!(one["info"]["tasks"][0]["task"].is_u64(), "{one}");
    ensure!(one["status"]["tasks"][0]["id"].is_u64(), "{one}");
    ensure!(one["status"]["connector"]["worker_id"].is_string(), "{one}");
    ensure!(one["status"]["type"] == "source", "{one}");
    let c = "/connectors/inventory-connector";
    let topics = rest.get(&format!("{c}/topics")).await?.json()?;
    ensure!(
        topics["inventory-connector"]["topics"].is_array(),
        "{topics}"
    );
    let tasks = rest.get(&format!("{c}/tasks")).await?.json()?;
    ensure!(
        tasks[0]["id"]["task"] == 0 && all_text(&tasks[0]["config"]),
        "{tasks}"
    );
    let plugins = rest.get("/connector-plugins").await?.json()?;
    let class = plugins[0]["class"].as_str().context("a class")?;
    let mut config = connector(postgres, "from_ui");
    config["name"] = json!("from-ui");
    // Its forms send numbers and booleans as such.
    config["database.port"] = json!(postgres.port());
    config["tombstones.on.delete"] = json!(true);
    let path = format!("/connector-plugins/{class}/config/validate");
    let checked = rest.call("PUT", &path, Some(&config)).await?;
    assert_eq!(checked.status, 200);
    let checked = checked.json()?;
    assert_eq!(checked["error_count"], 0, "{checked}");
    for entry in checked["configs"].as_array().context("configs")? {
        let (definition, value) = (&entry["definition"], &entry["value"]);
        ensure!(
            definition["name"] == value["name"]
                && definition["required"].is_boolean()
                && definition["order"].is_i64()
                && definition["dependents"].is_array()
                && value["errors"].is_array()
                && value["recommended_values"].is_array()
                && value["visible"].is_boolean(),
            "{entry}"
        );
    }
    let body = json!({"name": "from-ui", "config": config});
    let created = rest.call("POST", "/connectors", Some(&body)).await?;
    assert_eq!(created.status, 201, "{}", created.text);
    ensure!(all_text(&created.json()?["config"]), "{}", created.text);
    for (method, path, status) in [
        (
            "POST",
            "/connectors/from-ui/restart?includeTasks=false&onlyFailed=false",
            204,
        ),
        (
            "POST",
            "/connectors/from-ui/restart?includeTasks=true&onlyFailed=false",
            202,
        ),
        (
            "POST",
            "/connectors/from-ui/restart?includeTasks=true&onlyFailed=true",
            202,
        ),
        ("POST", "/connectors/from-ui/tasks/0/restart", 204),
        ("PUT", "/connectors/from-ui/pause", 202),
        ("PUT", "/connectors/from-ui/resume", 202),
        ("PUT", "/connectors/from-ui/stop", 204),
        ("DELETE", "/connectors/from-ui/offsets", 200),
        ("DELETE", "/connectors/from-ui", 204),
    ] {
        let answer = rest.call(method, path, None).await?;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
    }
    // It shows the message of an error.
    let refused = rest
        .call("POST", "/connectors", Some(&tutorial(postgres)))
        .await?;
    assert_eq!(refused.status, 409);
    ensure!(refused.json()?["message"].is_string(), "{}", refused.text);
    Ok(())
}
