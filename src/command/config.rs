use cdc::config::{KNOWN, Property};

use super::Failure;
use crate::settings::{Settings, reference};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Print the reference of all settings and connector properties in Markdown instead (docs/configuration.md)
    #[arg(long)]
    reference: bool,
}

pub fn run(arguments: &Arguments, settings: &Settings) -> Result<(), Failure> {
    if arguments.reference {
        print!("{}", document());
    } else {
        print!("{}", settings.print());
    }
    Ok(())
}

const HEAD: &str = "\
# Configuration

This page is printed by `tributary config --reference`.

## Settings

Embedded defaults, then `tributary.toml` (`[section]` and `key`), then the environment, then flags. An unknown key is an
error that names the nearest one. `tributary config` shows the effective values and where each comes from.

";

const PROPERTIES: &str = "
## Connector properties

A connector is a flat map of these: Debezium's JSON posted to `/connectors`, a `.json` or `.properties` file of
`cdc.connectors_folder` (Debezium Server's `debezium.source.*` too), `[cdc]` of `tributary.toml` (tables and lists as TOML
has them), or the environment: `TRIBUTARY_CDC_DATABASE_HOSTNAME`, `DEBEZIUM_SOURCE_DATABASE_HOSTNAME`; a secret's name with
`_FILE` at its end names a file that holds it.

Values may refer to what is kept elsewhere: `${file:/path/to/file.properties:key}`, `${directory:/path:file}`,
`${env:NAME}`; `config.providers` of the worker limits or renames these. They are stored and shown as references, and
resolved when the connector is checked and when it starts. Passwords are shown as `********` unless the worker has
`rest.show.passwords=true`; sent back so, they stay what they are.

What is not known at all is ignored with a warning that names the nearest property, as Kafka Connect ignores it. A name
that ends in `*` stands for all names with that beginning; one that begins with `*.converter.` for the same of
`key.converter.`, `value.converter.` and `header.converter.`.

| property | handling |
|---|---|
";

fn document() -> String {
    let mut text = format!("{HEAD}{}{PROPERTIES}", reference());
    for property in KNOWN {
        let Property { name, handling } = property;
        text.push_str(&format!("| `{name}` | {handling} |\n"));
    }
    text
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
