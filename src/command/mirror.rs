//! One database, mirrored into a lake.

use clap::ValueEnum;

use super::{lake, quantity, start};
use crate::{
    failure::Failure,
    invocation::{program, quoted},
    mirror::{self, Globs, Plan, Road, SlotName, Source, SourceSnapshot, connector},
    settings::Settings,
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The first start copies the rows that are there, then every committed change follows, exactly once, until
Ctrl-C or SIGTERM. A later start goes on where the lake is. The server needs wal_level = logical, and the user
REPLICATION and the right to make a publication of the tables (their owner, or a superuser). What is kept on the
server between two runs is the slot: `select pg_drop_replication_slot('SLOT')` when the mirror is given up for good.

Examples:
  tributary mirror --from postgresql://USER@HOST/DATABASE --to data/lake
  tributary mirror --from postgresql://USER@HOST/DATABASE --to s3://BUCKET/PREFIX --tables 'public.*' --exclude '*.audit'
  tributary mirror --from postgresql://USER@HOST/DATABASE --to data/lake --once   # for cron: copy, catch up, end"
)]
pub struct Arguments {
    #[command(flatten)]
    which: Which,
    /// First folder of the tables in the lake; without it, the database's name (mirror.name)
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Copy the rows that are there at the first start, or only what changes from now on, or copy them anew where changes were lost (mirror.snapshot)
    #[arg(long, value_enum, value_name = "MODE")]
    snapshot: Option<Rows>,
    /// Time between two commits to the lake (mirror.freshness)
    #[arg(long, value_name = "TIME")]
    freshness: Option<String>,
    /// End when the lake has everything that was committed before the start, or when a minute of new starts after failures has brought nothing
    #[arg(long)]
    once: bool,
}

/// Which database is mirrored, into which lake.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Connection string of the database (mirror.from)
    #[arg(long, value_name = "DSN")]
    from: Option<String>,
    /// Root of the lake: a folder or s3://bucket/prefix (lake.url)
    #[arg(long, value_name = "URL")]
    pub(super) to: Option<String>,
    /// Which tables, as 'public.*,sales.orders'; without it, all (mirror.tables)
    #[arg(long, value_name = "GLOBS")]
    tables: Option<String>,
    /// Which of them not (mirror.exclude)
    #[arg(long, value_name = "GLOBS")]
    exclude: Option<String>,
    /// Name of the replication slot and the publication (mirror.slot)
    #[arg(long, value_name = "NAME")]
    slot: Option<String>,
}

impl Which {
    /// The flags take the place of the settings of the same meaning.
    ///
    /// # Errors
    /// A value is none of its setting's.
    pub(super) fn apply(self, settings: &mut Settings) -> Result<(), Failure> {
        settings.set_flag("mirror.from", self.from)?;
        settings.set_flag("lake.url", self.to)?;
        settings.set_flag("mirror.tables", self.tables)?;
        settings.set_flag("mirror.exclude", self.exclude)?;
        settings.set_flag("mirror.slot", self.slot)?;
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Rows {
    Initial,
    NoData,
    WhenNeeded,
}

impl Rows {
    const fn word(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::NoData => "no_data",
            Self::WhenNeeded => "when_needed",
        }
    }
}

pub fn run(arguments: Arguments, settings: &mut Settings) -> Result<(), Failure> {
    arguments.which.apply(settings)?;
    settings.set_flag("mirror.name", arguments.name)?;
    settings.set_flag("mirror.snapshot", arguments.snapshot.map(Rows::word))?;
    settings.set_flag("mirror.freshness", arguments.freshness)?;
    let (road, slot) = road(settings)?;
    let lake = &road.lake.url;
    let plan = Plan {
        question: format!("{} sql --lake {} '\\d'", program(), quoted(lake)),
        road,
        slot,
        once: arguments.once,
    };
    start(settings, "warn")?.block_on(async {
        let stop = service::stop_on_signal().map_err(anyhow::Error::from)?;
        mirror::run(plan, stop).await
    })
}

/// The mirror that the settings describe, and how its slot's name is found.
///
/// # Errors
/// No database is named, or a setting cannot be used.
pub(super) fn road(settings: &Settings) -> Result<(Road, SlotName), Failure> {
    let dsn = settings
        .get("mirror.from")
        .ok_or_else(|| Failure::Refused {
            what: "mirror a database: none is named".to_owned(),
            hint: "name it with --from, as --from postgresql://user@host:5432/database".to_owned(),
        })?;
    let globs = |key| {
        Globs::parse(settings.get(key).unwrap_or_default())
            .map_err(|error| Failure::Usage(format!("{key}: {error}")))
    };
    let mut lake = lake::config(settings);
    let slot = match settings.get("mirror.slot") {
        Some(slot) => SlotName::Given(slot.to_owned()),
        None => SlotName::OfLake {
            proposed: proposed_slot(
                &lake.url,
                lake.endpoint.as_deref(),
                settings.get("mirror.name"),
            ),
        },
    };
    let source = Source {
        dsn: dsn.to_owned(),
        password: mirror::password(settings.get("mirror.password")),
        tables: globs("mirror.tables")?,
        exclude: globs("mirror.exclude")?,
        snapshot: match settings.get("mirror.snapshot") {
            Some("no_data") => SourceSnapshot::NoData,
            Some("when_needed") => SourceSnapshot::WhenNeeded,
            _ => SourceSnapshot::Initial,
        },
        slot: slot.text().to_owned(),
    };
    let connector = connector(source, &std::env::temp_dir())?;
    let name = settings
        .get("mirror.name")
        .unwrap_or(&connector.database.dbname);
    lake.namespace = Some(name.to_owned());
    let road = Road {
        pipeline: name.to_owned(),
        lake,
        connector,
        freshness: settings.parse::<quantity::Time>("mirror.freshness")?.0,
        maintenance: lake::maintenance(settings)?,
        last: None,
    };
    Ok((road, slot))
}

/// The slot that a lake's mirror gets where the lake has none and none is named. The number is the beginning of the SHA-256
/// of the lake's address and the mirror's name, so that whoever makes a publication by hand knows its name beforehand.
fn proposed_slot(url: &str, endpoint: Option<&str>, name: Option<&str>) -> String {
    let address = format!(
        "{} {} {}",
        endpoint.unwrap_or_default(),
        lake::absolute(url).trim_end_matches('/'),
        name.unwrap_or_default()
    );
    let number = lake::number(&address);
    format!("tributary_mirror_{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_proposes_a_slot_of_its_own() {
        let one = proposed_slot("s3://a/b", None, None);
        assert_eq!(one, proposed_slot("s3://a/b/", None, None));
        assert_ne!(one, proposed_slot("s3://a/c", None, None));
        assert_ne!(one, proposed_slot("s3://a/b", None, Some("shop")));
        assert!(one.len() <= 63 && one.starts_with("tributary_mirror_"));
    }
}
