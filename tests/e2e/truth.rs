use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use stack::Postgres;

/// Has every change of `tables` audited from now on, in `database`.
pub async fn watch(postgres: &Postgres, database: &str, tables: &[&str]) -> Result<()> {
    let watches: String = tables
        .iter()
        .map(|table| format!("select oracle.watch('{table}');"))
        .collect();
    // one simple query is one transaction
    postgres
        .execute(database, &format!("{}{watches}", include_str!("audit.sql")))
        .await
}

/// Writes what PostgreSQL says of the audited tables, and of every change to them, to `path`: JSON lines as
/// `tests/oracle/truth.py` reads them. The names of the tables are returned.
///
/// Nothing may be written to the tables meanwhile.
pub async fn export(postgres: &Postgres, database: &str, path: &Path) -> Result<Vec<String>> {
    let rows = postgres.query(database, include_str!("truth.sql")).await?;
    let mut text = String::new();
    for line in rows.into_iter().flatten().flatten() {
        writeln!(text, "{}", line.replace('\n', " "))?;
    }
    std::fs::write(path, text).with_context(|| format!("write `{}`", path.display()))?;
    tables(postgres, database).await
}

async fn tables(postgres: &Postgres, database: &str) -> Result<Vec<String>> {
    let sql = "select n.nspname || '.' || c.relname from oracle.tables join pg_class c on c.oid = tab \
               join pg_namespace n on n.oid = c.relnamespace order by 1";
    let rows = postgres.query(database, sql).await?;
    Ok(rows.into_iter().flatten().flatten().collect())
}
