//! Every way to log in that PostgreSQL asks for, over TCP and the Unix socket, and what is said where a login is
//! refused.

use anyhow::{Context, Error, Result, ensure};
use cdc::{
    ErrorKind,
    source::{Control, connection::ReplicationConnection},
};
use connector::DatabaseConfig;
use service::Secret;
use stack::Postgres;

use crate::connector::{config, value};

/// Every method of pg_hba.conf that asks for a password, and trust, over TCP and the Unix socket.
#[tokio::test]
async fn logs_in_by_every_method_over_both_transports() -> Result<()> {
    let postgres = Postgres::start().await?;
    postgres
        .execute(
            "postgres",
            "set password_encryption = 'md5'; create role by_md5 login replication password 'geheim';
             set password_encryption = 'scram-sha-256'; create role by_scram login replication password 'geheim';
             create role by_password login replication password 'geheim';
             create role by_trust login replication;
             create role refused login replication password 'geheim';
             grant connect on database postgres to by_md5, by_scram, by_password, by_trust;",
        )
        .await?;
    let mut rules = String::new();
    for (role, method) in [
        ("by_md5", "md5"),
        ("by_scram", "scram-sha-256"),
        ("by_password", "password"),
        ("by_trust", "trust"),
        ("refused", "reject"),
    ] {
        for place in ["local all", "host all"] {
            let address = if place.starts_with("host") {
                "127.0.0.1/32"
            } else {
                ""
            };
            rules.push_str(&format!("{place} {role} {address} {method}\n"));
        }
    }
    let file = value(&postgres, "show hba_file").await?;
    let before = std::fs::read_to_string(&file).context("read pg_hba.conf")?;
    std::fs::write(&file, rules + &before).context("write pg_hba.conf")?;
    postgres
        .execute("postgres", "select pg_reload_conf()")
        .await?;
    stack::until("the new rules", crate::connector::PATIENCE, async || {
        let rows = postgres
            .query(
                "postgres",
                "select 1 from pg_hba_file_rules where user_name = '{refused}'",
            )
            .await?;
        Ok((!rows.is_empty()).then_some(()))
    })
    .await?;
    for host in [
        "127.0.0.1".to_owned(),
        postgres.socket_dir().display().to_string(),
    ] {
        for role in ["by_md5", "by_scram", "by_password", "by_trust"] {
            let mut database = config(&postgres).database;
            database.hostname.clone_from(&host);
            database.user = role.to_owned();
            database.password = Secret::new("geheim");
            let method = role.trim_start_matches("by_");
            if ["md5", "password"].contains(&method) && !host.starts_with('/') {
                // Whoever answers there would have the password.
                refuses_to_tell(&database, &format!("database.requireAuth={method}")).await?;
                database.tls.require_auth = "!password,!md5".parse().map_err(Error::msg)?;
                refuses_to_tell(&database, "database.requireAuth does not list").await?;
                database.tls.require_auth = method.parse().map_err(Error::msg)?;
            }
            let mut control = Control::new(&database);
            let client = control.client().await;
            let client = client.with_context(|| format!("{role} at {host}"))?;
            client.simple_query("select 1").await?;
            let mut connection = ReplicationConnection::connect(&database)
                .await
                .with_context(|| format!("{role} at {host}"))?;
            let rows = connection.simple_query("IDENTIFY_SYSTEM").await?;
            ensure!(rows.len() == 1, "{role} at {host}: {rows:?}");
            let style = connection.simple_query("SHOW DateStyle").await?;
            ensure!(style == [[Some("ISO, MDY".to_owned())]], "{style:?}");
            if role != "by_trust" {
                for wrong in ["falsch", ""] {
                    database.password = Secret::new(wrong);
                    let error = ReplicationConnection::connect(&database)
                        .await
                        .err()
                        .with_context(|| format!("{role} at {host} with `{wrong}`"))?;
                    ensure!(error.kind() == ErrorKind::Permission, "{error:?}");
                    ensure!(!format!("{error:?}").contains("falsch"));
                }
            }
        }
        let mut database = config(&postgres).database;
        database.hostname = host;
        database.user = "refused".to_owned();
        let error = ReplicationConnection::connect(&database)
            .await
            .err()
            .context("refused")?;
        ensure!(error.kind() == ErrorKind::Permission, "{error:?}");
    }
    Ok(())
}

/// Both kinds of connection halt, and say what to set.
pub async fn refuses_to_tell(database: &DatabaseConfig, remedy: &str) -> Result<()> {
    let replication = ReplicationConnection::connect(database).await.err();
    let ordinary = Control::new(database).client().await.err();
    for error in [replication, ordinary] {
        let error = error.context("a login that must be refused")?;
        let text = service::render_error(&error, Some(error.hint()));
        ensure!(error.kind() == ErrorKind::Permission, "{text}");
        ensure!(text.contains(remedy), "no {remedy}: {text}");
    }
    Ok(())
}

/// `faults/cdc/password-with-outer-space.sql`
#[tokio::test]
async fn a_password_is_sent_as_it_is() -> Result<()> {
    let postgres = Postgres::start().await?;
    for (role, password) in [
        ("inner", "a b"),
        ("behind", "%I\\GYg-7anx1Ox{y "),
        ("before", "  \tx"),
        ("blank", " "),
    ] {
        let sql = format!(
            "create role {role} superuser login replication password '{}'",
            password.replace('\\', "\\\\").replace("'", "''")
        );
        postgres
            .execute("postgres", &sql.replace("password '", "password E'"))
            .await?;
        let mut properties = config(&postgres).properties;
        for (name, value) in [
            ("database.hostname", "127.0.0.1"),
            ("database.user", role),
            ("database.password", password),
        ] {
            properties.insert(name.to_owned(), value.to_owned());
        }
        let database = connector::ConnectorConfig::parse(&properties)?
            .config
            .database;
        let connection = ReplicationConnection::connect(&database).await;
        connection.with_context(|| format!("`{password}`"))?;
        let mut control = Control::new(&database);
        control
            .client()
            .await
            .with_context(|| format!("`{password}`"))?;
    }
    Ok(())
}

#[tokio::test]
async fn says_what_is_wrong_with_the_address() -> Result<()> {
    let postgres = Postgres::start().await?;
    let right = config(&postgres).database;
    let mut elsewhere = right.clone();
    elsewhere.hostname = "127.0.0.1".to_owned();
    elsewhere.port = stack::free_port()?;
    let mut no_socket = right.clone();
    no_socket.hostname = "/nowhere".to_owned();
    let mut no_database = right;
    no_database.dbname = "nowhere".to_owned();
    for (database, kind) in [
        (elsewhere, ErrorKind::Connection),
        (no_socket, ErrorKind::Connection),
        (no_database, ErrorKind::Configuration),
    ] {
        let error = ReplicationConnection::connect(&database)
            .await
            .err()
            .context("an error")?;
        ensure!(error.kind() == kind, "{error:?}");
    }
    Ok(())
}
