//! `tributary config`: the effective settings, and the reference that is `docs/configuration.md`.

use std::io::Write as _;

use anyhow::Context as _;
use connector::{ConnectorConfig, ConnectorFile, Handling, Property, known};
use console::Output;

use super::kafka;
use crate::failure::Failure;
use crate::settings::{Settings, reference};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Print the reference of all settings and connector properties in Markdown instead (docs/configuration.md)
    #[arg(long)]
    reference: bool,
}

pub fn run(arguments: &Arguments, settings: &Settings) -> Result<(), Failure> {
    if arguments.reference {
        print(&document())?;
    } else {
        for warning in settings.warnings() {
            eprintln!("warning: {warning}");
        }
        print(&settings.print())?;
        check(settings)?;
    }
    Ok(())
}

/// To standard output, as far as somebody reads it.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = Output::stdout();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if !out.is_closed() {
        written.context("write to standard output")?;
    }
    Ok(())
}

/// What several settings are together.
fn check(settings: &Settings) -> Result<(), Failure> {
    service::kafka::security_settings(&kafka::security(settings))
        .map_err(|error| Failure::Usage(format!("use the settings of [kafka]: {error}")))?;
    let connector = settings.connector()?;
    // What a reference stands for is known to the worker that reads it.
    let whole =
        |connector: &ConnectorFile| !connector.properties.values().any(|it| it.contains("${"));
    if let Some(connector) = connector.filter(whole) {
        ConnectorConfig::parse(&connector.properties)
            .map_err(|report| Failure::Usage(format!("use the connector of [cdc]: {report}")))?;
    }
    Ok(())
}

const HEAD: &str = "\
# Configuration

This page is printed by `tributary config --reference`.

## Settings

Embedded defaults, then `tributary.toml` (`[section]` and `key`), then the environment, then flags. An unknown key and a
value that cannot be are errors, whichever command runs; a variable with other underscores than a setting's has no effect
and is warned of. `tributary config` shows the effective values and where each comes from.

";

const PROPERTIES: &str = "
## Connector properties

A connector is a flat map of these: Debezium's JSON posted to `/connectors`, a `.json` or `.properties` file of
`cdc.connectors_folder` (Debezium Server's `debezium.source.*` too), `[cdc]` of `tributary.toml` (tables and lists as TOML
has them), or the environment: `TRIBUTARY_CDC_DATABASE_HOSTNAME`, `DEBEZIUM_SOURCE_DATABASE_HOSTNAME`; a secret's name with
`_FILE` at its end names a file that holds it.

Values may refer to what is kept elsewhere: `${file:/path/to/file.properties:key}`, `${directory:/path:file}`,
`${env:NAME}`, where `config.providers` of the worker names such a provider (see [security](security.md)); by default
there is none, as in Kafka Connect. They are stored and shown as references, and resolved when the connector is checked
and when it starts. Passwords are shown as `********` unless the worker has
`rest.show.passwords=true`; sent back so, they stay what they are.

What is not known at all is ignored with a warning that names the nearest property, as Kafka Connect ignores it. A name
that ends in `*` stands for all names with that beginning; one that begins with `*.converter.` for the same of
`key.converter.`, `value.converter.` and `header.converter.`.

| property | type | default | meaning |
|---|---|---|---|
";

const SNAPSHOTS: &str = "
## Snapshots

A snapshot is read by COPY, by `snapshot.max.threads` ordinary connections (1 where it is not set, and never more than
there are tables). Each reads whole tables, the next one of the list as soon as it is done with one, and is closed when
none is left. All of them are in READ ONLY transactions that see the same snapshot, so rows and the changes streamed after
them fit together as they do with one connection. Rows of a table stay in their order; tables come interleaved, and
`source.snapshot` is `first` for the first row that is written, `last` for the last, and tells the edges of each table as
with one connection. Rows wait in the server, not in memory: a connection holds a few buffers of its socket, which is
tens of kilobytes, or about five rows where a row is larger than that.

When a connection is lost, or the process, the snapshot goes on with the tables that it had not finished. Which those are is
stored with the position, in the same Kafka transaction as the rows, so no row of a finished table comes a second time. First
come the changes of the tables that were read, up to a new moment, then as of this moment the rows of the others, then the
changes of all. Rows of a table that was read in part come again, after the changes that they had since: among these the
deletes of rows that were delivered, and perhaps of rows that were not. It starts from scratch where the slot is gone or has
moved, where nothing is streamed (`snapshot.mode=initial_only`), in the demo, and after an offset that Debezium wrote.

Before the first row is read every connection locks what it is going to read (ACCESS SHARE, as pg_dump does): whoever wants
to rewrite, truncate, drop, rename or detach a table waits until the snapshot has ended, and no connection waits for him.
Readers and writers wait for nobody, except behind him. What was altered so between the snapshot's moment and the lock has
rows that this moment cannot see any more, so the snapshot starts over at another moment, with a warning that names the
table; after ten attempts it fails. `snapshot.locking.mode=none` waits for the locks and tells after a second for whom it
waits; `shared` gives up after `snapshot.lock.timeout.ms`. A partition that is attached while a snapshot is read
(ATTACH PARTITION waits for nobody) starts it over when its parent is read.

Whatever can refuse to stream refuses before the first row is written: the slot is taken (START_REPLICATION) before the
snapshot is read, and kept until it is streamed from. A slot that another connector reads, an option of
`slot.stream.params` that the server does not know, too few walsenders cost no row. Once a snapshot was delivered no failure
of streaming repeats it, in `snapshot.mode=always` neither; only a new start does. While a task waits to start again its
state is RESTARTING, and its `trace` says why.

A slot cannot be made before every transaction that writes, and was open, has ended. After a second, and then every ten, the
log names them: process, role, application, age and query, as far as the role may see them (`pg_read_all_stats`).

The snapshot has all rows of its tables, as the stream has all changes. Its sessions have `row_security = off`, and a table
with a policy that concerns the connector's role is refused, when the connector is posted already: give the role BYPASSRLS, or
say by `snapshot.select.statement.overrides` which rows are to be read. A publication that publishes less than the connector
captures is refused where a snapshot is to be taken, because its rows would never be updated or deleted: a row filter (unless
the table has an override), a column list that lacks captured columns, and a `publish` that lacks operations that
`skipped.operations` does not name. Where no snapshot is taken each of them is a warning in the log, and so is, always, a
captured table that is not published at all.

`snapshot.isolation.mode` may be `serializable` (the default), `repeatable_read`, `read_committed` or `read_uncommitted`.
Nothing weaker is used than what makes rows exact, and one line of the log says so where another mode was set:

- Where changes are streamed after the snapshot, and where a slot of the connector's name exists already, it is taken in
  REPEATABLE READ transactions as of a slot's consistent point, whatever the mode: only they can take over a slot's
  snapshot, and only that has an exact place among the changes.
- Where nothing is streamed (`snapshot.mode=initial_only`) and no slot is kept, none is made. With `serializable` the
  snapshot is that of a SERIALIZABLE READ ONLY DEFERRABLE transaction. It waits until the serializable transactions that
  write and are open when it starts have ended, and after a second the log names their processes
  (`pg_safe_snapshot_blocking_pids`). With the other modes it is REPEATABLE READ and waits for nobody.

The timeouts of statements, idle transactions and transactions do not apply to the connections that read a snapshot.
";

const COST: &str = "
## Latency and cost

A Kafka transaction costs the same CPU time for one row as for a hundred, so batches are committed no more often than
every `tributary.commit.interval.ms` (50 where it is not set; 0 commits as soon as the batch before is durable). A row after
a pause is committed at once; rows that come one after the other wait for the rest of the interval, half of it on average,
and so does what `delivery.guarantee=at_least_once` sends. A batch that reaches `tributary.batch.bytes`, the end of a
snapshot, and the end of the connector do not wait. Whatever the interval is, a batch and its position are one transaction.
";

/// A property's row: type, default and meaning. What is not used says so in place of them.
fn row(property: &Property, handling: &Handling) -> String {
    let Property { name, sentence, .. } = property;
    let value_type = property.value_type.map_or("", |kind| kind.name());
    let value_type = match property.unit {
        Some(unit) => format!("{value_type}, {unit}"),
        None => value_type.to_owned(),
    };
    let default = match property.default {
        None => "-".to_owned(),
        Some("") => "empty".to_owned(),
        Some(text) => format!("`{text}`"),
    };
    let meaning = match handling {
        Handling::Used => (*sentence).to_owned(),
        Handling::Ignored(_) | Handling::Refused { .. } => format!("{sentence} *{handling}*"),
    };
    let meaning = meaning.trim();
    format!("| `{name}` | {value_type} | {default} | {meaning} |\n")
}

fn document() -> String {
    let mut text = format!("{HEAD}{}{PROPERTIES}", reference());
    for (property, handling) in known() {
        text.push_str(&row(property, handling));
    }
    text + SNAPSHOTS + COST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_docs_is_this_one() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
        if std::env::var_os("TRIBUTARY_BLESS").is_some() {
            std::fs::write(&path, document()).unwrap();
        }
        assert!(
            std::fs::read_to_string(&path).unwrap() == document(),
            "docs/configuration.md is not what `tributary config --reference` prints"
        );
    }
}
