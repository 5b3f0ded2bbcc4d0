use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use tokio_postgres::{Client, SimpleQueryMessage};

/// Has every change of `tables` audited from now on, in the client's database.
pub async fn watch(client: &Client, tables: &[&str]) -> Result<()> {
    let watches: String = tables
        .iter()
        .map(|table| format!("select oracle.watch('{table}');"))
        .collect();
    // one simple query is one transaction
    let sql = format!("{}{watches}", include_str!("audit.sql"));
    client.batch_execute(&sql).await.context("begin the audit")
}

/// Writes what PostgreSQL says of the audited tables, and of every change to them, to `path`: JSON lines as
/// `tests/oracle/truth.py` reads them. The names of the tables are returned.
///
/// Nothing may be written to the tables meanwhile.
pub async fn export(client: &Client, path: &Path) -> Result<Vec<String>> {
    let mut text = String::new();
    for line in first_column(client, include_str!("truth.sql")).await? {
        writeln!(text, "{}", line.replace('\n', " "))?;
    }
    std::fs::write(path, text).with_context(|| format!("write `{}`", path.display()))?;
    let sql = "select n.nspname || '.' || c.relname from oracle.tables join pg_class c on c.oid = tab \
               join pg_namespace n on n.oid = c.relnamespace order by 1";
    first_column(client, sql).await
}

/// The first column of every row that a script returns.
pub async fn first_column(client: &Client, sql: &str) -> Result<Vec<String>> {
    let messages = client
        .simple_query(sql)
        .await
        .with_context(|| format!("query: {sql}"))?;
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other messages of a server are alike here"
    )]
    let texts = messages.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    Ok(texts.collect())
}
