//! What runs, on one screen.

use std::{io::IsTerminal as _, net::SocketAddr, path::Path, time::Duration};

use service::ExitStatus;

use super::{doctor::of_kafka, lake, tell};
use crate::{
    failure::Failure,
    settings::Settings,
    status::{Endpoint, Places, Seen, look, screen},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without --endpoint: the addresses of cdc.listen and lakewriter.listen. An endpoint is a service of tributary or the REST
face of a Kafka Connect. The lake is looked at where --lake or lake.url names one, or data/lake is there; the lag in records
where --kafka names the brokers. What cannot be reached is said. `tributary mirror` has no address: its lake tells of it.
Exit code: 0; 1 where a connector or a task is FAILED; 2 where nothing could be reached.
Examples:
  tributary status --watch
  tributary status --endpoint http://127.0.0.1:8083 --lake data/lake --json"
)]
pub struct Arguments {
    /// Address of a service, as http://127.0.0.1:8083; several times for several
    #[arg(long, value_name = "URL")]
    endpoint: Vec<String>,
    /// Root of the lake (lake.url)
    #[arg(long, value_name = "URL")]
    lake: Option<String>,
    /// Kafka brokers (kafka.bootstrap_servers)
    #[arg(long, value_name = "HOST:PORT")]
    kafka: Option<String>,
    /// Look again every two seconds, until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// Print one JSON document a look
    #[arg(long)]
    json: bool,
}

/// Time between two looks.
const AGAIN: Duration = Duration::from_secs(2);

/// Home, and everything below it is cleared.
const REDRAW: &str = "\x1b[H\x1b[J";

pub fn run(arguments: Arguments, settings: &mut Settings) -> Result<(), Failure> {
    settings.set_flag("lake.url", arguments.lake)?;
    settings.set_flag("kafka.bootstrap_servers", arguments.kafka.as_ref())?;
    let endpoints = if arguments.endpoint.is_empty() {
        ["cdc.listen", "lakewriter.listen"]
            .into_iter()
            .map(|key| Ok(of_this_machine(settings.parse(key)?)))
            .collect::<Result<Vec<String>, Failure>>()?
    } else {
        arguments.endpoint
    };
    let endpoints = endpoints
        .iter()
        .map(|text| {
            Endpoint::parse(text).map_err(|why| Failure::Usage(format!("--endpoint {text}: {why}")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let there = settings.is_set("lake.url")
        || Path::new(settings.get("lake.url").unwrap_or_default()).is_dir();
    let places = Places {
        endpoints,
        kafka: arguments
            .kafka
            .map(|bootstrap| of_kafka(settings, bootstrap)),
        lake: there.then(|| lake::config(settings)),
    };
    tell(settings, "off")?;
    let runtime = tokio::runtime::Runtime::new().map_err(anyhow::Error::from)?;
    let seen = runtime.block_on(async {
        let stop = service::stop_on_signal().map_err(anyhow::Error::from)?;
        loop {
            let seen = tokio::select! {
                () = stop.cancelled() => return Ok(None),
                seen = look(&places) => seen,
            };
            show(&seen, arguments.json, arguments.watch)?;
            if !arguments.watch {
                return Ok(Some(seen));
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(Some(seen)),
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    });
    runtime.shutdown_background();
    let seen: Result<Option<Seen>, Failure> = seen;
    match seen? {
        Some(seen) if !seen.failed.is_empty() => Err(Failure::Told(ExitStatus::Halted)),
        Some(seen) if seen.is_blind() => Err(Failure::Told(ExitStatus::Configuration)),
        _ => Ok(()),
    }
}

/// An address that listens everywhere is reached here.
fn of_this_machine(listen: SocketAddr) -> String {
    if listen.ip().is_unspecified() {
        format!("127.0.0.1:{}", listen.port())
    } else {
        listen.to_string()
    }
}

fn show(seen: &Seen, json: bool, watch: bool) -> Result<(), Failure> {
    if json {
        let document = serde_json::to_string(seen).map_err(anyhow::Error::from)?;
        say!("{document}");
    } else if watch && std::io::stdout().is_terminal() {
        say!("{REDRAW}{}", screen(seen));
    } else {
        say!("{}", screen(seen));
    }
    Ok(())
}
