//! A connection string and names of tables -> a connector in Debezium's own words.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context as _;
use cdc::source::SurveyedTable;
use connector::ConnectorConfig;
use postgres_tls::{Connector, TlsSettings};
use service::Secret;

use super::globs::{Globs, exactly, filter};

/// The topic prefix that nobody sees: no topic is written.
const PREFIX: &str = "mirror";

/// Whether the rows that are there come along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SourceSnapshot {
    /// They do, at the first start.
    #[default]
    Initial,
    /// Only changes from now on.
    NoData,
    /// As `Initial`, and again where changes were lost.
    WhenNeeded,
}

/// What is mirrored.
#[derive(Debug)]
pub struct Source {
    pub dsn: String,
    /// Where the connection string has none.
    pub password: Option<Secret>,
    pub tables: Globs,
    pub exclude: Globs,
    /// Slot and publication.
    pub slot: String,
    pub snapshot: SourceSnapshot,
}

/// The connector of a source. Open transactions that do not fit into memory are kept in `spill_folder` until they end.
///
/// # Errors
/// The connection string cannot be read or used.
pub fn connector(source: Source, spill_folder: &Path) -> anyhow::Result<ConnectorConfig> {
    let variables = TlsSettings::from_environment(|name| std::env::var(name).ok())
        .map_err(anyhow::Error::msg)
        .context("read libpq's variables of TLS")?;
    let parsed = Connector::parse(&source.dsn, variables).context("read the connection string")?;
    let hostname = parsed.host().unwrap_or_else(|| "localhost".to_owned());
    let user = match parsed.config.get_user() {
        Some(user) => user.to_owned(),
        None => std::env::var("USER").unwrap_or_else(|_| "postgres".to_owned()),
    };
    let password = parsed
        .config
        .get_password()
        .map(|bytes| Secret::new(String::from_utf8_lossy(bytes).into_owned()))
        .or(source.password);
    let port = parsed.config.get_ports().first().copied().unwrap_or(5432);
    let mode = match source.snapshot {
        SourceSnapshot::Initial => "initial",
        SourceSnapshot::NoData => "no_data",
        SourceSnapshot::WhenNeeded => "when_needed",
    };
    let mut properties: BTreeMap<String, String> = [
        ("name", source.slot.as_str()),
        (
            "connector.class",
            "io.debezium.connector.postgresql.PostgresConnector",
        ),
        ("database.hostname", &hostname),
        ("database.port", &port.to_string()),
        ("database.user", &user),
        (
            "database.dbname",
            parsed.config.get_dbname().unwrap_or(&user),
        ),
        ("topic.prefix", PREFIX),
        ("slot.name", &source.slot),
        ("publication.name", &source.slot),
        ("publication.autocreate.mode", "filtered"),
        ("snapshot.mode", mode),
        // What becomes of a partition's rows comes under the name under which they were copied.
        ("publish.via.partition.root", "true"),
        // A TRUNCATE that is left out would leave rows in the lake that the table has not.
        ("skipped.operations", "none"),
        ("status.update.interval.ms", "1000"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    if let Some(password) = &password {
        properties.insert("database.password".to_owned(), password.reveal().to_owned());
    }
    let mut config = ConnectorConfig::parse(&properties)
        .context("make a connector of the connection string")?
        .config;
    config.database.tls = parsed.tls;
    config.filter = filter(source.tables, source.exclude);
    config.spill_folder = spill_folder.to_owned();
    config.snapshot.later_tables = true;
    Ok(config)
}

/// Leaves out what cannot be mirrored, and copies of a table that others inherit from its own rows alone: theirs come under
/// their own names. Tells of what is left out.
///
/// # Errors
/// A name cannot stand in a filter.
pub fn suit(config: &mut ConnectorConfig, tables: &[SurveyedTable]) -> anyhow::Result<()> {
    for table in tables {
        let name = table.name.full();
        if table.unlogged {
            tracing::warn!(
                table = %name,
                "an unlogged table is left out: its changes are in no WAL; `alter table ... set logged` lets it be mirrored"
            );
            config.filter.table_exclude.push(exactly(&name)?);
        } else if table.inherited {
            let query = format!("select * from only {}", table.name.quoted());
            config.snapshot.select_overrides.insert(name, query);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(dsn: &str) -> Source {
        Source {
            dsn: dsn.to_owned(),
            password: Some(Secret::new("of the setting")),
            tables: Globs::parse("public.*").expect("globs"),
            exclude: Globs::parse("*.audit").expect("globs"),
            slot: "mine".to_owned(),
            snapshot: SourceSnapshot::Initial,
        }
    }

    #[test]
    fn a_connection_string_becomes_a_connector() {
        let url = "postgresql://me:secret@db.example:6432/shop?sslmode=require";
        let config = connector(source(url), Path::new("/tmp")).expect("a connector");
        let database = &config.database;
        assert_eq!(
            (database.hostname.as_str(), database.port),
            ("db.example", 6432)
        );
        assert_eq!(
            (database.user.as_str(), database.dbname.as_str()),
            ("me", "shop")
        );
        assert_eq!(database.password.reveal(), "secret");
        assert_eq!(database.tls.mode.to_string(), "require");
        assert!(cdc::capture::captures_table(
            &config.filter,
            "public",
            "orders"
        ));
        assert!(!cdc::capture::captures_table(
            &config.filter,
            "public",
            "audit"
        ));
        let pairs = "host=/var/run/postgresql user=me dbname=shop";
        let config = connector(source(pairs), Path::new("/tmp")).expect("a connector");
        assert_eq!(config.database.hostname, "/var/run/postgresql");
        assert_eq!(config.database.password.reveal(), "of the setting");
        assert!(connector(source("postgresql://["), Path::new("/tmp")).is_err());
    }
}
