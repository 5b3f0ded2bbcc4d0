//! Every `sslmode` against servers with real certificates, on the replication connection and on an ordinary one.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use cdc::{
    Error, ErrorKind,
    source::{Control, connection::ReplicationConnection},
};
use connector::DatabaseConfig;
use postgres_tls::SslMode;
use service::Secret;
use stack::{Authority, Identity, Postgres, PostgresOptions, PostgresTls};

use crate::{
    connector::{config, start, until_events},
    recording::Store,
};

pub const MODES: [SslMode; 6] = [
    SslMode::Disable,
    SslMode::Allow,
    SslMode::Prefer,
    SslMode::Require,
    SslMode::VerifyCa,
    SslMode::VerifyFull,
];

/// Whether the connection is encrypted, as the server sees it.
const IS_ENCRYPTED: &str = "select ssl::text from pg_stat_ssl where pid = pg_backend_pid()";

/// A server with this certificate, whose TCP connections follow `rules` of pg_hba.conf.
pub async fn server(
    identity: Identity,
    client_root: Option<String>,
    rules: &str,
) -> Result<Postgres> {
    Postgres::start_with(PostgresOptions {
        tls: Some(PostgresTls {
            server: identity,
            client_root,
        }),
        hba: Some(format!(
            "local all all trust\nlocal replication all trust\n{rules}\n"
        )),
        settings: vec![("log_connections".to_owned(), "on".to_owned())],
        ..PostgresOptions::default()
    })
    .await
}

pub const BOTH: &str = "host all all 127.0.0.1/32 scram-sha-256";

/// A root certificate in a file.
pub fn root_file(folder: &Path, authority: &Authority) -> Result<PathBuf> {
    let path = folder.join("root.crt");
    std::fs::write(&path, authority.pem()).context("write a root")?;
    Ok(path)
}

pub fn database(postgres: &Postgres, host: &str, mode: SslMode) -> DatabaseConfig {
    let mut database = config(postgres).database;
    database.hostname = host.to_owned();
    database.tls.mode = mode;
    database
}

/// Both kinds of connection: whether they are encrypted, or the error that both give.
pub async fn connect(database: &DatabaseConfig) -> Result<Result<bool, Error>> {
    let replication = match ReplicationConnection::connect(database).await {
        Ok(mut connection) => {
            Ok(connection.simple_query(IS_ENCRYPTED).await? == [[Some("true".to_owned())]])
        }
        Err(error) => Err(error),
    };
    let ordinary = match Control::new(database).client().await {
        Ok(client) => Ok(client
            .query_one(IS_ENCRYPTED, &[])
            .await?
            .get::<_, String>(0)
            == "true"),
        Err(error) => Err(error),
    };
    match (&replication, &ordinary) {
        (Ok(one), Ok(other)) => ensure!(one == other, "replication {one}, ordinary {other}"),
        (Err(one), Err(other)) => {
            ensure!(one.kind() == other.kind(), "{one:?}\n{other:?}");
            named(one, database)?;
            named(other, database)?;
        }
        other => anyhow::bail!("the two kinds of connections differ: {other:?}"),
    }
    Ok(replication)
}

/// Everything the error says, and that it names where it went and how.
pub fn told(error: &Error) -> String {
    service::render_error(error, Some(error.hint()))
}

fn named(error: &Error, database: &DatabaseConfig) -> Result<()> {
    let text = told(error);
    for part in [
        format!("`{}` port {}", database.hostname, database.port),
        format!("as `{}`", database.user),
        format!("sslmode={}", database.tls.mode),
    ] {
        ensure!(text.contains(&part), "no {part} in:\n{text}");
    }
    let password = database.password.reveal();
    ensure!(
        password == database.user || password.is_empty() || !text.contains(password),
        "{text}"
    );
    Ok(())
}

/// An error of this kind that says these things.
pub async fn refused(database: &DatabaseConfig, kind: ErrorKind, said: &[&str]) -> Result<()> {
    let error = connect(database)
        .await?
        .err()
        .with_context(|| format!("a refusal with sslmode={}", database.tls.mode))?;
    let text = told(&error);
    ensure!(error.kind() == kind, "{:?}\n{text}", error.kind());
    for part in said {
        ensure!(text.contains(part), "no `{part}` in:\n{text}");
    }
    Ok(())
}

#[tokio::test]
async fn each_mode_against_a_server_with_tls() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new("the root")?;
    let postgres = server(authority.server(&["localhost"])?, None, BOTH).await?;
    let root = root_file(folder.path(), &authority)?;
    for mode in MODES {
        let mut database = database(&postgres, "localhost", mode);
        database.tls.root_certificates = Some(root.clone());
        let encrypted = connect(&database)
            .await?
            .with_context(|| mode.to_string())?;
        let expected = !matches!(mode, SslMode::Disable | SslMode::Allow);
        ensure!(encrypted == expected, "{mode}: {encrypted}");
        database.password = Secret::new("falsch");
        refused(
            &database,
            ErrorKind::Permission,
            &["password authentication failed"],
        )
        .await?;
    }
    // Without a root there is nothing to verify with.
    let unrooted = database(&postgres, "localhost", SslMode::VerifyCa);
    refused(&unrooted, ErrorKind::Configuration, &["sslrootcert"]).await?;
    let unverified = database(&postgres, "localhost", SslMode::Require);
    ensure!(connect(&unverified).await??);
    // A Unix socket has no TLS, and sslmode no effect.
    let mut unix = config(&postgres).database;
    unix.tls.mode = SslMode::VerifyFull;
    ensure!(!connect(&unix).await??);
    Ok(())
}

#[tokio::test]
async fn each_mode_against_a_server_without_tls() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let postgres = Postgres::start().await?;
    let root = root_file(folder.path(), &Authority::new("the root")?)?;
    for mode in MODES {
        let mut database = database(&postgres, "localhost", mode);
        database.tls.root_certificates = Some(root.clone());
        if matches!(mode, SslMode::Disable | SslMode::Allow | SslMode::Prefer) {
            ensure!(!connect(&database).await??, "{mode}");
        } else {
            let said = ["the server has no TLS", "ssl=on"];
            refused(&database, ErrorKind::Configuration, &said).await?;
        }
    }
    Ok(())
}

/// `hostssl` and `hostnossl` in pg_hba.conf: only `allow` and `prefer` find the way that is open.
#[tokio::test]
async fn a_way_that_the_server_refuses() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new("the root")?;
    let root = root_file(folder.path(), &authority)?;
    for (rule, only_encrypted) in [("hostssl", true), ("hostnossl", false)] {
        let rules = format!("{rule} all all 127.0.0.1/32 scram-sha-256");
        let postgres = server(authority.server(&["localhost"])?, None, &rules).await?;
        for mode in MODES {
            let mut database = database(&postgres, "localhost", mode);
            database.tls.root_certificates = Some(root.clone());
            let open = match mode {
                SslMode::Disable => !only_encrypted,
                SslMode::Allow | SslMode::Prefer => true,
                SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => only_encrypted,
            };
            if open {
                let encrypted = connect(&database)
                    .await?
                    .with_context(|| mode.to_string())?;
                ensure!(encrypted == only_encrypted, "{rule} {mode}");
                // The password is what is wrong, whichever way is tried last.
                database.password = Secret::new("falsch");
                let said = ["password authentication failed"];
                refused(&database, ErrorKind::Permission, &said).await?;
            } else {
                refused(&database, ErrorKind::Permission, &["pg_hba.conf"]).await?;
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn certificates_that_must_not_be_trusted() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (authority, stranger) = (Authority::new("the root")?, Authority::new("another root")?);
    let root = root_file(folder.path(), &authority)?;
    let good = server(authority.server(&["localhost"])?, None, BOTH).await?;
    let expired = server(authority.expired_server(&["localhost"])?, None, BOTH).await?;
    let unknown = server(stranger.server(&["localhost"])?, None, BOTH).await?;
    let wrong_host = [
        "is for",
        "localhost",
        "subjectAltName has `127.0.0.1`",
        "verify-ca",
    ];
    let over = ["has expired", "renew"];
    let untrusted = ["not signed by a trusted root", "sslrootcert"];
    for (postgres, host, mode, said) in [
        (
            &good,
            "127.0.0.1",
            SslMode::VerifyFull,
            Some(&wrong_host[..]),
        ),
        (&good, "127.0.0.1", SslMode::VerifyCa, None),
        (&expired, "localhost", SslMode::VerifyFull, Some(&over)),
        (&expired, "localhost", SslMode::VerifyCa, Some(&over)),
        (&expired, "localhost", SslMode::Prefer, None),
        (&unknown, "localhost", SslMode::VerifyFull, Some(&untrusted)),
        (&unknown, "localhost", SslMode::VerifyCa, Some(&untrusted)),
        // Libpq's rule: with a root certificate `require` verifies as `verify-ca`.
        (&unknown, "localhost", SslMode::Require, Some(&untrusted)),
        (&unknown, "localhost", SslMode::Prefer, None),
    ] {
        let mut database = database(postgres, host, mode);
        database.tls.root_certificates = Some(root.clone());
        match said {
            Some(said) => refused(&database, ErrorKind::Configuration, said).await?,
            None => ensure!(connect(&database).await??, "{host} {mode}"),
        }
    }
    for (name, content, said) in [
        ("missing.crt", None, "missing.crt"),
        ("empty.crt", Some(""), "BEGIN CERTIFICATE"),
    ] {
        let path = folder.path().join(name);
        if let Some(content) = content {
            std::fs::write(&path, content)?;
        }
        let mut database = database(&good, "localhost", SslMode::VerifyFull);
        database.tls.root_certificates = Some(path);
        refused(&database, ErrorKind::Configuration, &[said]).await?;
    }
    Ok(())
}

/// Snapshot and stream over verify-full: what arrives is what was written, and nothing came unencrypted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_capture_over_verified_tls() -> Result<()> {
    const ROWS: usize = 3000;
    let folder = tempfile::tempdir()?;
    let authority = Authority::new("the root")?;
    let rules = "hostssl all all 127.0.0.1/32 scram-sha-256";
    let postgres = server(authority.server(&["localhost"])?, None, rules).await?;
    // Values longer than a TLS record (16 KiB) among short ones.
    let insert = |from: usize, to: usize| {
        format!(
            "insert into t select i, repeat(md5(i::text), case when i % 500 = 0 then 2000 else 1 end) from generate_series({from}, {to}) i"
        )
    };
    postgres
        .execute(
            "postgres",
            &format!(
                "create table t(id int primary key, v text); {}",
                insert(1, ROWS)
            ),
        )
        .await?;
    let store = Store::default();
    let mut config = config(&postgres);
    config.database = database(&postgres, "localhost", SslMode::VerifyFull);
    config.database.tls.root_certificates = Some(root_file(folder.path(), &authority)?);
    let running = start(&config, &store, 100);
    running.streaming().await?;
    postgres
        .execute("postgres", &insert(ROWS + 1, 2 * ROWS))
        .await?;
    until_events(&store, 2 * ROWS).await?;
    running.stop().await?;
    let rows = postgres
        .query("postgres", "select id::text, v from t order by t.id")
        .await?;
    let mut found: Vec<Vec<Option<String>>> = store
        .events()
        .into_iter()
        .filter_map(|event| event.after)
        .collect();
    found.sort_by_key(|row| {
        row.first()
            .cloned()
            .flatten()
            .and_then(|id| id.parse::<u32>().ok())
    });
    ensure!(found == rows, "{} of {} rows", found.len(), rows.len());
    let log = std::fs::read_to_string(postgres.log())?;
    ensure!(log.contains("SSL enabled"), "nothing came by TLS");
    Ok(())
}
