//! A connector through its states by REST: paused, resumed, restarted, changed, stopped, failed.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stack::{Kafka, Postgres, until};

use crate::rest::{PATIENCE, Rest, connector, with};

/// Pause, resume, restart, changes of the settings, stop, offsets, failure.
pub async fn lifecycle(rest: &Rest, kafka: &Kafka, postgres: &Postgres) -> Result<()> {
    let error = |code: u16, message: &str| json!({"error_code": code, "message": message});
    let c = "/connectors/inventory-connector";
    let path = |rest: &str| format!("{c}/{rest}");
    rest.expect("DELETE", &path("offsets"), None, 400, error(400, "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified connector by issuing a 'PUT' request to the '/connectors/inventory-connector/stop' endpoint")).await?;
    rest.expect(
        "PATCH",
        &path("offsets"),
        Some(json!({"offsets": []})),
        400,
        error(
            400,
            "Partitions / offsets need to be provided for an alter offsets request",
        ),
    )
    .await?;

    for _ in 0..2 {
        rest.expect("PUT", &path("pause"), None, 202, Value::Null)
            .await?;
    }
    let id = &rest.address;
    rest.expect(
        "GET",
        &path("status"),
        None,
        200,
        json!({
            "name": "inventory-connector",
            "connector": {"state": "PAUSED", "worker_id": id},
            "tasks": [{"id": 0, "state": "PAUSED", "worker_id": id}],
            "type": "source"
        }),
    )
    .await?;
    postgres
        .execute(
            "rest",
            "insert into inventory.tweets values (2, 'while paused')",
        )
        .await?;
    rest.expect("PUT", &path("resume"), None, 202, Value::Null)
        .await?;
    until("the row of the pause", PATIENCE, async || {
        let records = kafka.read_all("dbserver1.inventory.tweets", true).await?;
        Ok((records.len() == 2).then_some(()))
    })
    .await?;
    rest.expect("POST", &path("restart"), None, 204, Value::Null)
        .await?;
    let answer = rest
        .call(
            "POST",
            &path("restart?includeTasks=true&onlyFailed=false"),
            None,
        )
        .await?;
    assert_eq!(
        (answer.status, &answer.json()?["tasks"][0]["state"]),
        (202, &json!("RESTARTING"))
    );
    let answer = rest
        .call(
            "POST",
            &path("restart?includeTasks=true&onlyFailed=true"),
            None,
        )
        .await?;
    assert_eq!(
        (answer.status, &answer.json()?["tasks"][0]["state"]),
        (202, &json!("RUNNING"))
    );

    // Settings sent back as they are shown keep their password.
    let mut shown = rest.get(&path("config")).await?.json()?;
    shown["poll.interval.ms"] = json!("250");
    let answer = rest.call("PUT", &path("config"), Some(&shown)).await?;
    assert_eq!(
        (answer.status, &answer.json()?["config"]["poll.interval.ms"]),
        (200, &json!("250")),
        "{}",
        answer.text
    );
    let patched = rest
        .call(
            "PATCH",
            &path("config"),
            Some(&json!({"poll.interval.ms": null, "tasks.max": 1})),
        )
        .await?
        .json()?;
    assert_eq!(
        (
            &patched["config"]["poll.interval.ms"],
            &patched["config"]["tasks.max"]
        ),
        (&Value::Null, &json!("1"))
    );
    rest.expect("PUT", &path("config"), Some(with(shown.clone(), "name", json!("other"))), 400, error(400, "Connector name configuration (other) doesn't match connector name in the URL (inventory-connector)")).await?;
    postgres
        .execute(
            "rest",
            "insert into inventory.tweets values (3, 'after the change')",
        )
        .await?;
    until("the row after the change", PATIENCE, async || {
        let records = kafka.read_all("dbserver1.inventory.tweets", true).await?;
        Ok((records.len() == 3).then_some(()))
    })
    .await?;

    for _ in 0..2 {
        rest.expect("PUT", &path("stop"), None, 204, Value::Null)
            .await?;
    }
    rest.expect("GET", &path("status"), None, 200, json!({"name": "inventory-connector", "connector": {"state": "STOPPED", "worker_id": id}, "tasks": [], "type": "source"})).await?;
    rest.expect("GET", &path("tasks"), None, 200, json!([]))
        .await?;
    let offset = rest.get(&path("offsets")).await?.json()?;
    assert_eq!(offset["offsets"][0]["offset"]["messageType"], "INSERT");
    let changed = |verb: &str| json!({"message": format!("The Connect framework-managed offsets for this connector have been {verb} successfully. However, if this connector manages offsets externally, they will need to be manually {verb} in the system that the connector uses.")});
    rest.expect(
        "PATCH",
        &path("offsets"),
        Some(offset.clone()),
        200,
        changed("altered"),
    )
    .await?;
    rest.expect("DELETE", &path("offsets"), None, 200, changed("reset"))
        .await?;
    rest.expect("GET", &path("offsets"), None, 200, json!({"offsets": []}))
        .await?;
    rest.expect(
        "PATCH",
        &path("offsets"),
        Some(offset),
        200,
        changed("altered"),
    )
    .await?;
    rest.expect("PUT", &path("resume"), None, 202, Value::Null)
        .await?;
    rest.task_state("inventory-connector", "RUNNING").await?;

    // What Debezium's task says there, ours says in its own words.
    let mut failing = connector(postgres, "failing");
    failing["publication.autocreate.mode"] = json!("disabled");
    failing["publication.name"] = json!("nosuch");
    let answer = rest
        .call(
            "POST",
            "/connectors",
            Some(&json!({"name": "failing", "config": failing})),
        )
        .await?;
    assert_eq!(answer.status, 201);
    let status = rest.task_state("failing", "FAILED").await?;
    let trace = status["tasks"][0]["trace"].as_str().context("a trace")?;
    ensure!(
        trace.contains("nosuch") && trace.contains("hint:"),
        "{trace}"
    );
    assert_eq!(status["connector"]["state"], "RUNNING");
    let states = kafka.read_all("connect_statuses", true).await?;
    let failed = states.iter().any(|record| {
        record.key.as_deref() == Some(b"status-task-failing-0")
            && record
                .value
                .as_deref()
                .is_some_and(|value| value.starts_with(br#"{"state":"FAILED""#))
    });
    ensure!(failed, "the failure is in the status topic");
    let ready = rest.get("/readyz").await?;
    ensure!(
        ready.status == 503 && ready.text.contains("connector failing is FAILED: GET "),
        "{} {}",
        ready.status,
        ready.text
    );
    rest.expect("DELETE", "/connectors/failing", None, 204, Value::Null)
        .await?;
    let ready = rest.get("/readyz").await?;
    assert_eq!((ready.status, ready.text.as_str()), (200, "ready\n"));
    Ok(())
}
