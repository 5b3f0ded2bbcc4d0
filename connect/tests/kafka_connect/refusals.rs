//! What REST refuses, and the words in which it does, as Kafka Connect was recorded.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use stack::Postgres;

use crate::{
    http::send,
    rest::{CLASS, Rest, connector, with},
};

/// What is refused, and how: as the recordings of Kafka Connect have it.
pub async fn refusals(rest: &Rest, postgres: &Postgres) -> Result<()> {
    let error = |code: u16, message: &str| json!({"error_code": code, "message": message});
    let config = connector(postgres, "x");
    let post = |name: Value, config: Value| Some(json!({"name": name, "config": config}));
    let tail = "\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`";
    rest.expect(
        "POST",
        "/connectors",
        post(json!("inventory-connector"), config.clone()),
        409,
        error(409, "Connector inventory-connector already exists"),
    )
    .await?;
    rest.expect("POST", "/connectors", Some(json!({"config": config})), 400, error(400, &format!("Connector configuration is invalid and contains the following 1 error(s):\nInvalid value  for configuration name: String may not be empty{tail}"))).await?;
    rest.expect(
        "POST",
        "/connectors",
        post(json!("x"), json!({"topic.prefix": "y"})),
        400,
        error(
            400,
            "Connector config {name=x, topic.prefix=y} contains no connector type",
        ),
    )
    .await?;
    rest.expect("POST", "/connectors", post(json!("x"), json!({"connector.class": CLASS})), 400, error(400, &format!("Connector configuration is invalid and contains the following 4 error(s):\nThe 'topic.prefix' value is invalid: A value is required\nThe 'database.hostname' value is invalid: A value is required\nThe 'database.user' value is invalid: A value is required\nThe 'database.dbname' value is invalid: A value is required{tail}"))).await?;
    for (config, word) in [
        (
            with(config.clone(), "database.password", json!("wrong")),
            "password authentication failed for user \"postgres\"",
        ),
        (
            with(config.clone(), "database.dbname", json!("nosuch")),
            "database \"nosuch\" does not exist",
        ),
        (with(config.clone(), "database.port", json!("1")), "refused"),
    ] {
        let answer = rest
            .call("POST", "/connectors", post(json!("x"), config).as_ref())
            .await?;
        assert_eq!(answer.status, 400, "{}", answer.text);
        let message = answer.json()?["message"].to_string().replace("\\\"", "\"");
        ensure!(
            message.contains("Error while validating connector config") && message.contains(word),
            "{message}"
        );
        ensure!(!message.contains("wrong"), "{message}");
    }
    for (name, code) in [("no.such.Connector", 500_u16)] {
        let answer = rest
            .call(
                "POST",
                "/connectors",
                post(json!("x"), json!({"connector.class": name})).as_ref(),
            )
            .await?;
        assert_eq!(answer.status, code);
        ensure!(answer.text.contains("Failed to find any class that implements Connector and which name matches no.such.Connector"), "{}", answer.text);
    }
    assert_eq!(
        send(
            &rest.address,
            "POST",
            "/connectors",
            &[("Content-Type".to_owned(), "application/json".to_owned())],
            Some("{\"name\": ")
        )
        .await?
        .status,
        500
    );
    assert_eq!(
        send(
            &rest.address,
            "POST",
            "/connectors",
            &[("Content-Type".to_owned(), "text/plain".to_owned())],
            Some("name=x")
        )
        .await?
        .json()?,
        error(415, "HTTP 415 Unsupported Media Type")
    );
    assert_eq!(
        rest.call(
            "POST",
            "/connectors",
            Some(&json!({"name": "x", "config": {}, "nonsense": 1}))
        )
        .await?
        .status,
        500
    );
    rest.expect(
        "GET",
        "/nosuch",
        None,
        404,
        error(404, "HTTP 404 Not Found"),
    )
    .await?;
    rest.expect(
        "PUT",
        "/connectors",
        Some(json!({})),
        405,
        error(405, "HTTP 405 Method Not Allowed"),
    )
    .await?;
    for (method, path, message) in [
        ("GET", "/connectors/nosuch", "Connector nosuch not found"),
        (
            "GET",
            "/connectors/nosuch/status",
            "No status found for connector nosuch",
        ),
        (
            "GET",
            "/connectors/nosuch/config",
            "Connector nosuch not found",
        ),
        (
            "GET",
            "/connectors/nosuch/tasks",
            "Connector nosuch not found",
        ),
        (
            "GET",
            "/connectors/nosuch/offsets",
            "Connector nosuch not found",
        ),
        (
            "PUT",
            "/connectors/nosuch/pause",
            "Unknown connector nosuch",
        ),
        (
            "POST",
            "/connectors/nosuch/restart",
            "Unknown connector: nosuch",
        ),
        ("DELETE", "/connectors/nosuch", "Connector nosuch not found"),
        (
            "POST",
            "/connectors/inventory-connector/tasks/7/restart",
            "Unknown task: inventory-connector-7",
        ),
        (
            "GET",
            "/connector-plugins/NoSuch/config",
            "Unknown plugin NoSuch.",
        ),
    ] {
        rest.expect(method, path, None, 404, error(404, message))
            .await?;
    }
    rest.expect(
        "GET",
        "/connectors/nosuch/topics",
        None,
        200,
        json!({"nosuch": {"topics": []}}),
    )
    .await?;
    let answer = rest
        .call(
            "PUT",
            "/connector-plugins/PostgresConnector/config/validate",
            Some(&json!({"connector.class": "PostgresConnector"})),
        )
        .await?;
    assert_eq!(answer.status, 200);
    let body = answer.json()?;
    assert_eq!(
        (&body["name"], &body["error_count"]),
        (&json!("PostgresConnector"), &json!(5))
    );
    Ok(())
}
