//! What stands in the way, before and while a mirror or a connector runs.

use std::{path::PathBuf, time::Duration};

use ::lakewriter::KafkaConfig;
use service::ExitStatus;

use super::{kafka, lake, lakewriter::group_of, mirror, quantity, tell};
use crate::{
    doctor::{self, Patient, Report},
    failure::Failure,
    settings::Settings,
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Nothing is changed: not in the database, not in Kafka; in the lake an object is written and removed, which shows
whether its store refuses to overwrite. Each finding has what is, what it means, and the SQL, command or property that
mends it. What the role may not see is a finding, and the rest is looked at. Passwords are never shown.
Exit code: 0 when nothing needs a hand (notes are no matter); 1 with warnings or errors; 2 when something that was asked
for could not be looked at.
Examples:
  tributary doctor --from postgresql://USER@HOST/DATABASE --to data/lake
  tributary doctor --connector connector.json --kafka 127.0.0.1:9092 --json
  tributary doctor                                # the mirror or the connector of tributary.toml"
)]
pub struct Arguments {
    #[command(flatten)]
    which: mirror::Which,
    /// A connector as it is posted to Kafka Connect, or its config alone; --from takes the place of its database
    #[arg(long, value_name = "FILE")]
    connector: Option<PathBuf>,
    /// Kafka brokers (kafka.bootstrap_servers)
    #[arg(long, value_name = "HOST:PORT")]
    kafka: Option<String>,
    /// How long the growth of the WAL is measured
    #[arg(long, value_name = "TIME", default_value = "3s")]
    measure: quantity::Time,
    /// From when on an open transaction is told of
    #[arg(long, value_name = "TIME", default_value = "5m")]
    long_transaction: quantity::Time,
    /// Print one JSON document with stable codes
    #[arg(long)]
    json: bool,
}

/// How long the lake may take to say the name of its slot.
const LAKE_PATIENCE: Duration = Duration::from_secs(5);

pub fn run(arguments: Arguments, settings: &mut Settings) -> Result<(), Failure> {
    let wants_lake = arguments.which.to.is_some();
    arguments.which.apply(settings)?;
    let described = settings.connector()?;
    let mut bootstrap = arguments.kafka;
    let is_named = arguments.connector.is_some()
        || settings.is_set("mirror.from")
        || described.is_some()
        || wants_lake
        || bootstrap.is_some();
    if !is_named {
        return Err(Failure::Refused {
            what: "look at a database: none is named".to_owned(),
            hint: "name it with --from postgresql://user@host:5432/database, with --connector file.json, or in [cdc] of tributary.toml".to_owned(),
        });
    }
    let mut report = Report::default();
    let mut of_mirror = None;
    let connector = match &arguments.connector {
        Some(path) => {
            let stand = doctor::of_file(path, &mut report)?;
            bootstrap = bootstrap.or(stand.bootstrap_servers);
            let mut config = stand.config;
            if let (Some(config), true) = (&mut config, settings.is_set("mirror.from")) {
                config.database = mirror::road(settings)?.0.connector.database;
            }
            config
        }
        None if settings.is_set("mirror.from") => {
            let (road, slot) = mirror::road(settings)?;
            of_mirror = Some((slot, road.lake, road.pipeline));
            Some(road.connector)
        }
        None => match described {
            Some(file) => {
                bootstrap = bootstrap.or(file.bootstrap_servers);
                doctor::of_properties(file.properties, &mut report)
            }
            None => None,
        },
    };
    if settings.is_set("kafka.bootstrap_servers") {
        bootstrap =
            bootstrap.or_else(|| settings.get("kafka.bootstrap_servers").map(str::to_owned));
    }
    settings.set_flag("kafka.bootstrap_servers", bootstrap.as_ref())?;
    let mut patient = Patient {
        connector,
        lake: (wants_lake || settings.is_set("lake.url")).then(|| lake::config(settings)),
        kafka: bootstrap.map(|bootstrap| of_kafka(settings, bootstrap)),
        measure: arguments.measure.0.max(Duration::from_millis(100)),
        long_transaction: arguments.long_transaction.0,
    };
    tell(settings, "off")?;
    let runtime = tokio::runtime::Runtime::new().map_err(anyhow::Error::from)?;
    runtime.block_on(async {
        if let (Some(connector), Some((slot, lake, pipeline))) = (&mut patient.connector, of_mirror)
        {
            // Of a lake that cannot be read the look at the lake tells.
            let found = tokio::time::timeout(LAKE_PATIENCE, slot.of(&lake, &pipeline)).await;
            if let Ok(Ok(found)) = found {
                found.give_to(connector);
            }
        }
        doctor::look(&patient, &mut report).await;
    });
    // A look that did not end in time is left behind.
    runtime.shutdown_background();
    if arguments.json {
        say!("{}", report.document());
    } else {
        say!("{}", report.screen());
    }
    match report.status() {
        ExitStatus::Clean => Ok(()),
        status @ (ExitStatus::Halted | ExitStatus::Configuration) => Err(Failure::Told(status)),
    }
}

/// Kafka as the lake's writer reads it.
pub(super) fn of_kafka(settings: &Settings, bootstrap: String) -> KafkaConfig {
    let lake = lake::config(settings);
    let topics = settings.get("lakewriter.topics").unwrap_or_default();
    KafkaConfig {
        bootstrap,
        group: match settings.get("lakewriter.group_id") {
            Some(group) => group.to_owned(),
            None => group_of(&lake),
        },
        topics: vec![::lakewriter::whole_names(topics)],
        schema_topics: Vec::new(),
        overrides: kafka::security(settings),
    }
}
