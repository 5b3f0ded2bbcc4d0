//! Requests that nobody should send: an answer for each, never a 5xx that Kafka Connect would not give, and a worker that
//! goes on.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use proptest::{
    prelude::*,
    strategy::{Strategy, ValueTree as _},
    test_runner::{Config, RngSeed, TestRunner},
};
use serde_json::{Value, json};
use stack::{Kafka, Postgres};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::rest::{CLASS, Rest, connector};

/// An answer comes within this time, a connection to a database that does not exist included.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request of which any part may be wrong.
#[derive(Debug, Clone)]
struct Odd {
    method: &'static str,
    path: String,
    kind: Option<&'static str>,
    body: Vec<u8>,
}

impl Odd {
    async fn send(&self, address: &str) -> Result<(u16, String)> {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n",
            self.method,
            self.path,
            self.body.len()
        );
        if let Some(kind) = self.kind {
            head.push_str(&format!("Content-Type: {kind}\r\n"));
        }
        head.push_str("\r\n");
        let exchange = async {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(head.as_bytes()).await?;
            // What is refused early is not read to its end.
            let _ = stream.write_all(&self.body).await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            std::io::Result::Ok(String::from_utf8_lossy(&answer).into_owned())
        };
        let answer = tokio::time::timeout(PATIENCE, exchange)
            .await
            .with_context(|| format!("no answer to {} {}", self.method, self.path))??;
        let status = answer
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3))
            .with_context(|| format!("{self:?}: `{answer}`"))?
            .parse()?;
        Ok((status, answer))
    }
}

const ROUTES: [&str; 25] = [
    "/",
    "/connectors",
    "/connectors?expand=",
    "/connectors?expand=info&expand=status&expand=%FF",
    "/connectors/{}",
    "/connectors/{}/config",
    "/connectors/{}/status",
    "/connectors/{}/pause",
    "/connectors/{}/resume",
    "/connectors/{}/stop",
    "/connectors/{}/restart?includeTasks=maybe&onlyFailed",
    "/connectors/{}/tasks",
    "/connectors/{}/tasks-config",
    "/connectors/{}/tasks/{}/status",
    "/connectors/{}/tasks/{}/restart",
    "/connectors/{}/topics",
    "/connectors/{}/topics/reset",
    "/connectors/{}/offsets",
    "/connector-plugins?connectorsOnly=%00",
    "/connector-plugins/{}/config",
    "/connector-plugins/{}/config/validate",
    "/admin/loggers",
    "/admin/loggers/{}?scope=cluster",
    "/metrics",
    "/{}",
];

const SEGMENTS: [&str; 14] = [
    "odd",
    "%00",
    "%FF%FE",
    "a%2Fb",
    "%F0%9F%90%98",
    "%C3%A4",
    "..%2F..",
    "a%0Ab",
    "%20",
    "%",
    "%zz",
    "99999999999999999999",
    "-1",
    "PostgresConnector",
];

fn bodies() -> Vec<Vec<u8>> {
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    let named = |value: &str| format!("{{\"name\":\"odd\",\"config\":{value}}}");
    [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "0".to_owned(),
        "\"x\"".to_owned(),
        "{".to_owned(),
        "{}".to_owned(),
        "{\"name\":null,\"config\":null}".to_owned(),
        "{\"name\":{},\"config\":[]}".to_owned(),
        "{\"name\":[1],\"config\":\"x\"}".to_owned(),
        "{\"name\":5,\"config\":{}}".to_owned(),
        "{\"name\":\"odd\",\"name\":\"other\",\"config\":{}}".to_owned(),
        "{\"name\":\"odd\",\"config\":{},\"initial_state\":7}".to_owned(),
        "{\"name\":\"odd\",\"config\":{},\"initial_state\":[\"RUNNING\"]}".to_owned(),
        named("{\"connector.class\":{\"a\":1}}"),
        named("{\"connector.class\":null}"),
        named("{\"connector.class\":[]}"),
        named(&format!("{{\"connector.class\":\"{CLASS}\",\"tasks.max\":1e400}}")),
        named(&format!("{{\"connector.class\":\"{CLASS}\",\"tasks.max\":[{{}}]}}")),
        named(&format!(
            "{{\"connector.class\":\"{CLASS}\",\"database.port\":-1,\"database.hostname\":\"\\u0000\",\"database.user\":\"\\uD83D\\uDC18\",\"database.dbname\":true,\"topic.prefix\":\"/\\\\\"}}"
        )),
        format!("{{\"connector.class\":\"{CLASS}\"}}"),
        format!("{{\"connector.class\":\"{CLASS}\",\"connector.class\":\"x\"}}"),
        "{\"a\":{\"b\":{\"c\":[1,2,{\"d\":null}]}}}".to_owned(),
        format!("{{\"a\":{}}}", deep(1000)),
        deep(100_000),
        "{\"level\":5}".to_owned(),
        "{\"level\":\"LOUD\"}".to_owned(),
        "{\"offsets\":{}}".to_owned(),
        "{\"offsets\":[1,null,{}]}".to_owned(),
        "{\"offsets\":[{\"partition\":{\"server\":[]},\"offset\":{\"lsn\":\"x\"}}]}".to_owned(),
        "{\"offsets\":[{\"partition\":\"x\",\"offset\":7}]}".to_owned(),
        format!("{{\"a\":\"{}\"}}", "x".repeat(3 << 20)),
        "\u{feff}{}".to_owned(),
        "{\"\\ud800\":\"\\udc00\"}".to_owned(),
    ]
    .into_iter()
    .map(String::into_bytes)
    .chain([vec![0xff, 0xfe, 0x00], vec![0; 1000], b"name=x&config=y".to_vec()])
    .collect()
}

fn requests() -> impl Strategy<Value = Odd> {
    const METHODS: [&str; 9] = [
        "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW",
    ];
    const KINDS: [Option<&str>; 7] = [
        Some("application/json"),
        Some("application/json; charset=utf-16"),
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data; boundary="),
        Some("\u{e4}"),
        None,
    ];
    let segment = prop_oneof![
        3 => prop::sample::select(SEGMENTS.to_vec()).prop_map(str::to_owned),
        1 => prop::collection::vec(any::<u8>(), 0..12)
            .prop_map(|bytes| bytes.iter().map(|byte| format!("%{byte:02X}")).collect()),
    ];
    let body = prop_oneof![
        4 => prop::sample::select(bodies()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
    ];
    (
        prop::sample::select(METHODS.to_vec()),
        prop::sample::select(ROUTES.to_vec()),
        prop::collection::vec(segment, 2),
        prop_oneof![3 => Just(Some("application/json")), 1 => prop::sample::select(KINDS.to_vec())],
        body,
    )
        .prop_map(|(method, route, segments, kind, body)| Odd {
            method,
            path: segments.iter().fold(route.to_owned(), |path, segment| {
                path.replacen("{}", segment, 1)
            }),
            kind,
            body,
        })
}

/// Where Kafka Connect itself answers 500: bodies that are no JSON or not of the right form, and classes that are unknown.
fn may_be_500(answer: &str) -> bool {
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let Ok(body) = serde_json::from_str::<Value>(body) else {
        return false;
    };
    let message = body["message"].as_str().unwrap_or_default();
    body["error_code"] == 500
        && [
            // Of the JSON parser.
            "line ",
            "Cannot deserialize",
            "Cannot construct",
            "Unrecognized field",
            "has no body",
            "Offsets may only",
            "Failed to find any class",
            "contains no connector type",
        ]
        .iter()
        .any(|known| message.contains(known))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arbitrary_requests_are_answered_and_harm_nothing() -> Result<()> {
    let (kafka, postgres) = tokio::try_join!(Kafka::start(), Postgres::start())?;
    postgres.create_database("rest").await?;
    let rest = Rest::start(|_| {}, &kafka).await?;
    let mut config = connector(&postgres, "steady");
    config["snapshot.mode"] = json!("no_data");
    let body = json!({"name": "steady", "config": config});
    let created = rest.call("POST", "/connectors", Some(&body)).await?;
    assert_eq!(created.status, 201, "{}", created.text);
    rest.task_state("steady", "RUNNING").await?;

    let mut runner = TestRunner::new(Config {
        rng_seed: RngSeed::Fixed(20_261_121),
        ..Config::default()
    });
    let strategy = requests();
    let every = ROUTES
        .iter()
        .flat_map(|route| bodies().into_iter().map(move |body| (*route, body)))
        .flat_map(|(route, body)| {
            ["POST", "PUT", "PATCH"].map(|method| Odd {
                method,
                path: route.replace("{}", "odd"),
                kind: Some("application/json"),
                body: body.clone(),
            })
        });
    let mut odd: Vec<Odd> = every.collect();
    for _ in 0..2000 {
        let tree = strategy.new_tree(&mut runner);
        odd.push(
            tree.map_err(|reason| anyhow::anyhow!("{reason}"))?
                .current(),
        );
    }
    let mut counts = std::collections::BTreeMap::<u16, usize>::new();
    for request in &odd {
        let (status, answer) = request.send(&rest.address).await?;
        let shown = || {
            let body = String::from_utf8_lossy(&request.body);
            let body: String = body.chars().take(300).collect();
            format!(
                "{} {} {:?} {body}\n{answer}",
                request.method, request.path, request.kind
            )
        };
        ensure!(
            status < 500 || status == 500 && may_be_500(&answer),
            "{}",
            shown()
        );
        *counts.entry(status).or_default() += 1;
    }
    println!("{} requests: {counts:?}", odd.len());
    // Some of them were good enough to make connectors, or to change levels; ours is as it was.
    let status = rest.task_state("steady", "RUNNING").await?;
    assert_eq!(status["connector"]["state"], "RUNNING");
    let shown = rest.get("/connectors/steady/config").await?.json()?;
    assert_eq!(shown["topic.prefix"], "steady");
    rest.end().await
}
