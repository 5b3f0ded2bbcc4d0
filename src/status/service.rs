//! A service's own words: the states of its connectors, and its numbers.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::{Map, Value};

use super::{http::Endpoint, metrics::Page};

/// A service at an address.
#[derive(Debug, Serialize)]
pub struct Service {
    pub endpoint: String,
    /// Why it could not be asked.
    pub unreached: Option<String>,
    pub connectors: Vec<Connector>,
    pub lakewriter: Option<Lakewriter>,
}

/// A connector and its task.
#[derive(Debug, Serialize)]
pub struct Connector {
    pub name: String,
    pub state: String,
    pub tasks: Vec<Task>,
    pub lag_bytes: Option<u64>,
    pub events: Option<u64>,
    pub events_left_out: Option<u64>,
    /// Since the last transaction that was seen.
    pub last_commit_seconds: Option<f64>,
    pub restarts: Option<u64>,
    pub snapshot_tables_left: Option<u64>,
}

/// One task of a connector.
#[derive(Debug, Serialize)]
pub struct Task {
    pub id: u64,
    pub state: String,
    /// The first line of the last error.
    pub trace: Option<String>,
}

/// A writer of a lake.
#[derive(Debug, Serialize)]
pub struct Lakewriter {
    /// What it says where it is not well.
    pub not_ready: Option<String>,
    pub rows: Option<u64>,
    pub commits: Option<u64>,
    pub dead_letters: Option<u64>,
    pub freshness_p50_seconds: Option<f64>,
    pub freshness_p99_seconds: Option<f64>,
    /// Since rows last became visible.
    pub last_commit_seconds: Option<f64>,
}

impl Service {
    pub const fn is_reached(&self) -> bool {
        self.unreached.is_none()
    }

    /// What of it is FAILED.
    pub fn failures(&self) -> Vec<String> {
        let mut failed = Vec::new();
        for connector in &self.connectors {
            let is_failed = connector.state == "FAILED";
            if is_failed || connector.tasks.iter().any(|task| task.state == "FAILED") {
                failed.push(format!("connector {}", connector.name));
            }
        }
        failed
    }
}

/// Ask it for everything that it tells. Kafka Connect has no numbers, and lakewriter no connectors.
pub async fn ask_service(endpoint: &Endpoint) -> Service {
    let mut service = Service {
        endpoint: endpoint.to_string(),
        unreached: None,
        connectors: Vec::new(),
        lakewriter: None,
    };
    let (page, listed, ready) = tokio::join!(
        endpoint.get("/metrics"),
        endpoint.get("/connectors?expand=status"),
        endpoint.get("/readyz")
    );
    let page = match (page, &listed) {
        (Ok(page), _) => page.map(|text| Page::parse(&text)).unwrap_or_default(),
        (Err(_), Ok(Some(_))) => Page::default(),
        (Err(why), _) => {
            service.unreached = Some(why);
            return service;
        }
    };
    let mut is_known = false;
    match listed {
        Ok(Some(text)) => match serde_json::from_str::<Map<String, Value>>(&text) {
            Ok(connectors) => {
                is_known = true;
                let all = connectors.iter();
                service.connectors = all.map(|(name, of)| connector(name, of, &page)).collect();
            }
            Err(error) => {
                service.unreached = Some(format!("its connectors cannot be read: {error}"))
            }
        },
        Ok(None) => {}
        Err(why) => service.unreached = Some(format!("its connectors cannot be read: {why}")),
    }
    if page.has("tributary_lakewriter_") {
        is_known = true;
        service.lakewriter = Some(lakewriter(&page, ready.err()));
    }
    if !is_known && service.unreached.is_none() {
        service.unreached =
            Some("what answers there is no service of tributary, nor Kafka Connect".to_owned());
    }
    service
}

fn connector(name: &str, of: &Value, page: &Page) -> Connector {
    let status = of.get("status").unwrap_or(of);
    let text = |of: &Value, pointer| {
        let found = of.pointer(pointer).and_then(Value::as_str);
        found.map(str::to_owned)
    };
    let tasks = status.get("tasks").and_then(Value::as_array);
    let tasks = tasks.into_iter().flatten().map(|task| Task {
        id: task.get("id").and_then(Value::as_u64).unwrap_or(0),
        state: text(task, "/state").unwrap_or_else(|| "UNKNOWN".to_owned()),
        trace: text(task, "/trace").and_then(|trace| Some(trace.lines().next()?.to_owned())),
    });
    let own = [("connector", name)];
    let number = |metric| count(page.sum(metric, &own));
    Connector {
        name: name.to_owned(),
        state: text(status, "/connector/state").unwrap_or_else(|| "UNKNOWN".to_owned()),
        tasks: tasks.collect(),
        lag_bytes: number("tributary_cdc_lag_bytes"),
        events: number("tributary_cdc_events_total"),
        events_left_out: number("tributary_cdc_events_left_out_total"),
        last_commit_seconds: since(page.sum("tributary_cdc_last_commit_timestamp_seconds", &own)),
        restarts: number("tributary_cdc_restarts_total"),
        snapshot_tables_left: count(page.sum(
            "tributary_cdc_snapshot_tables",
            &[("connector", name), ("kind", "remaining")],
        )),
    }
}

fn lakewriter(page: &Page, not_ready: Option<String>) -> Lakewriter {
    let number = |metric| page.sum(metric, &[]);
    Lakewriter {
        not_ready,
        rows: count(number("tributary_lakewriter_rows_total")),
        commits: count(number("tributary_lakewriter_commits_total")),
        dead_letters: count(number("tributary_lakewriter_dead_letters_total")),
        freshness_p50_seconds: number("tributary_lakewriter_freshness_p50_seconds"),
        freshness_p99_seconds: number("tributary_lakewriter_freshness_p99_seconds"),
        last_commit_seconds: since(number("tributary_lakewriter_last_commit_timestamp_seconds")),
    }
}

fn count(value: Option<f64>) -> Option<u64> {
    value.map(|value| value.max(0.0) as u64)
}

/// Seconds since a moment; None before the first.
fn since(moment: Option<f64>) -> Option<f64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let moment = moment.filter(|moment| *moment > 0.0)?;
    Some((now.as_secs_f64() - moment).max(0.0))
}
