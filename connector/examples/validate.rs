//! Says what is wrong with a connector's JSON, as `POST /connectors` would:
//! `cargo run -p connector --example validate -- deploy/connectors/twitter.json`

use std::{env, error::Error, path::Path};

use connector::{ConnectorConfig, load_connector_file};

/// A line for each problem, or else what the connector would do and a line for each setting without an effect.
pub fn run(path: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let file = load_connector_file(path)?;
    Ok(match ConnectorConfig::parse(&file.properties) {
        Err(report) => report.problems.iter().map(ToString::to_string).collect(),
        Ok(parsed) => {
            let config = parsed.config;
            let reads = format!(
                "`{}` reads slot `{}` of {}:{}",
                config.name, config.slot_name, config.database.hostname, config.database.port
            );
            let notices = parsed.notices.iter().map(ToString::to_string);
            [reads].into_iter().chain(notices).collect()
        }
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1);
    let path = path.as_deref().unwrap_or("deploy/connectors/twitter.json");
    for line in run(Path::new(path))? {
        println!("{line}");
    }
    Ok(())
}
