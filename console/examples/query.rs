//! Asks a lake in a folder, such as the one that lakewriter's example writes:
//! `cargo run -p console --example query -- data/lake 'select * from public.orders'`

use std::{env, error::Error};

use console::{OutputFormat, SqlEngine, write_result};
use lakewriter::LakeConfig;

/// The rows as CSV.
pub async fn run(lake: &str, sql: &str) -> Result<String, Box<dyn Error>> {
    let engine = SqlEngine::open(&LakeConfig::new(lake), None).await?;
    let mut rows = Vec::new();
    write_result(engine.query(sql).await?, OutputFormat::Csv, &mut rows).await?;
    Ok(String::from_utf8(rows)?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let lake = env::args().nth(1);
    let sql = env::args().nth(2);
    let lake = lake.as_deref().unwrap_or("data/lake");
    let sql = sql.as_deref().unwrap_or("select * from public.orders");
    print!("{}", run(lake, sql).await?);
    Ok(())
}
