//! Connects to PostgreSQL by a connection string of libpq, TLS included, and asks who it is:
//! `cargo run -p postgres-tls --example connect -- 'host=localhost user=postgres sslmode=prefer'`

use std::{env, error::Error};

use postgres_tls::{Connector, TlsSettings};

/// Where the string leads, and what the server says its version is.
pub async fn run(text: &str) -> Result<(String, String), Box<dyn Error>> {
    let connector = Connector::parse(text, TlsSettings::default())?;
    let (client, connection) = connector.connect().await?;
    let connection = tokio::spawn(connection);
    let row = client.query_one("select version()", &[]).await?;
    drop(client);
    connection.await??;
    Ok((connector.address(), row.try_get(0)?))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let text = env::args().nth(1).unwrap_or_default();
    let (address, version) = run(&text).await?;
    println!("{address}\n{version}");
    Ok(())
}
