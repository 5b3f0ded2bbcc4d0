use regex::Regex;
use tokio_postgres::Client;

use super::snapshot::all_tables;
use crate::Error;
use crate::capture::is_of_the_system;
use connector::ConnectorConfig;

/// Tell of each pattern of `table.include.list` and `schema.include.list` that matches nothing, and what there is: a
/// slip of the pen there is a connector that runs and captures nothing.
///
/// # Errors
/// The catalog cannot be read.
pub(crate) async fn tell_unmatched(client: &Client, config: &ConnectorConfig) -> Result<(), Error> {
    let filter = &config.filter;
    if filter.table_include.is_empty() && filter.schema_include.is_empty() {
        return Ok(());
    }
    let tables: Vec<(String, String)> = all_tables(client)
        .await?
        .into_iter()
        .filter(|name| !is_of_the_system(&name.schema))
        .map(|name| (name.schema, name.table))
        .collect();
    let mut schemas: Vec<String> = tables.iter().map(|(schema, _)| schema.clone()).collect();
    schemas.dedup();
    let names: Vec<String> = tables
        .iter()
        .map(|(schema, table)| format!("{schema}.{table}"))
        .collect();
    for (property, patterns, names, kind) in [
        ("table.include.list", &filter.table_include, &names, "table"),
        (
            "schema.include.list",
            &filter.schema_include,
            &schemas,
            "schema",
        ),
    ] {
        for pattern in unmatched(patterns, names) {
            tracing::warn!(
                connector = %config.name,
                database = %config.database.dbname,
                "no {kind} matches `{pattern}` of {property}; there {}",
                service::listed(names)
            );
        }
    }
    Ok(())
}

/// The patterns, as they were written, that match none of the names.
fn unmatched<'a>(patterns: &'a [Regex], names: &[String]) -> Vec<&'a str> {
    let alone = patterns
        .iter()
        .filter(|pattern| !names.iter().any(|name| pattern.is_match(name)));
    alone
        .map(|pattern| {
            let text = pattern.as_str();
            let inner = text
                .strip_prefix("^(?:")
                .and_then(|it| it.strip_suffix(")$"));
            inner.unwrap_or(text)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_patterns_without_a_match_are_told() {
        let patterns = ["public.orders", "public.oders", "shop\\..*"]
            .map(|pattern| Regex::new(&format!("^(?:{pattern})$")).expect("a pattern"));
        let names = ["public.orders", "public.items"].map(str::to_owned);
        assert_eq!(unmatched(&patterns, &names), ["public.oders", "shop\\..*"]);
    }
}
