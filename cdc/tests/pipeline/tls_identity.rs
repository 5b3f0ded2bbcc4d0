//! Who is who: client certificates, and channel binding against somebody in the middle.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context, Result, ensure};
use cdc::ErrorKind;
use connector::DatabaseConfig;
use postgres_tls::{ChannelBindingMode, ClientTls, Negotiated, SslMode, TlsSettings};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use stack::{Authority, Identity};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::tls::{BOTH, connect, database, refused, root_file, server};

#[tokio::test]
async fn a_client_certificate() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new("the root")?;
    let stranger = Authority::new("another root")?;
    let rules = "hostssl all postgres 127.0.0.1/32 scram-sha-256 clientcert=verify-full\nhostssl all by_certificate 127.0.0.1/32 cert";
    let identity = authority.server(&["localhost"])?;
    let postgres = server(identity, Some(authority.pem()), rules).await?;
    postgres
        .execute("postgres", "create role by_certificate replication login")
        .await?;
    let mut missing = database(&postgres, "localhost", SslMode::VerifyFull);
    missing.tls.root_certificates = Some(root_file(folder.path(), &authority)?);
    let said = ["valid client certificate", "database.sslcert"];
    refused(&missing, ErrorKind::Permission, &said).await?;

    let with = |identity: &Identity, name: &str| -> Result<DatabaseConfig> {
        let (certificate, key) = identity.write(folder.path(), name)?;
        let mut database = missing.clone();
        database.tls.certificate = Some(certificate);
        database.tls.key = Some(key);
        Ok(database)
    };
    let own = authority.client("postgres")?;
    let mut given = with(&own, "postgres")?;
    ensure!(connect(&given).await??);
    // The key as Java's users have it.
    let der = folder.path().join("postgres.pk8");
    std::fs::write(&der, &own.key_der)?;
    given.tls.key = Some(der);
    ensure!(connect(&given).await??);
    given.tls.key = None;
    refused(&given, ErrorKind::Configuration, &["sslkey is missing"]).await?;

    let mut by_certificate = with(&authority.client("by_certificate")?, "by_certificate")?;
    by_certificate.user = "by_certificate".to_owned();
    by_certificate.password = service::Secret::default();
    ensure!(connect(&by_certificate).await??);
    let other_key: PathBuf = folder.path().join("postgres.key");
    by_certificate.tls.key = Some(other_key);
    refused(
        &by_certificate,
        ErrorKind::Configuration,
        &["do not belong together"],
    )
    .await?;

    let mut wrong_name = with(&own, "postgres")?;
    wrong_name.user = "by_certificate".to_owned();
    wrong_name.password = service::Secret::default();
    let said = ["certificate authentication failed"];
    refused(&wrong_name, ErrorKind::Permission, &said).await?;
    let untrusted = with(&stranger.client("postgres")?, "stranger")?;
    let said = ["does not take our certificate", "ssl_ca_file"];
    refused(&untrusted, ErrorKind::Configuration, &said).await
}

#[tokio::test]
async fn channel_binding_is_had_over_tls_only() -> Result<()> {
    let authority = Authority::new("the root")?;
    let identity = authority.server(&["localhost"])?;
    let rules = format!("host all by_trust 127.0.0.1/32 trust\n{BOTH}");
    let postgres = server(identity, None, &rules).await?;
    postgres
        .execute("postgres", "create role by_trust superuser login")
        .await?;
    for (mode, binding, bound) in [
        (SslMode::Require, ChannelBindingMode::Require, true),
        (SslMode::Require, ChannelBindingMode::Prefer, true),
        (SslMode::Require, ChannelBindingMode::Disable, true),
        (SslMode::Disable, ChannelBindingMode::Prefer, true),
        (SslMode::Disable, ChannelBindingMode::Require, false),
    ] {
        let mut database = database(&postgres, "localhost", mode);
        database.tls.channel_binding = binding;
        let outcome = connect_either(&database).await;
        ensure!(outcome.is_ok() == bound, "{mode} {binding:?}: {outcome:?}");
    }
    // A server that lets in without SCRAM proves nothing.
    let mut trusted = database(&postgres, "localhost", SslMode::Require);
    trusted.user = "by_trust".to_owned();
    ensure!(connect(&trusted).await??);
    trusted.tls.channel_binding = ChannelBindingMode::Require;
    ensure!(connect_either(&trusted).await.is_err());
    Ok(())
}

/// Somebody with a certificate of his own passes everything on to the true server. Nothing verifies his certificate, but
/// SCRAM is bound to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_in_the_middle_is_noticed() -> Result<()> {
    let authority = Authority::new("the root")?;
    let postgres = server(authority.server(&["localhost"])?, None, BOTH).await?;
    let middle = Authority::new("somebody")?.server(&["localhost"])?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let acceptor = acceptor(&middle)?;
    let behind = postgres.port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(pass_on(socket, acceptor.clone(), behind));
        }
    });
    let mut database = database(&postgres, "localhost", SslMode::Require);
    database.port = port;
    for binding in [ChannelBindingMode::Prefer, ChannelBindingMode::Require] {
        database.tls.channel_binding = binding;
        let error = connect_either(&database).await.err().context("noticed")?;
        ensure!(error.contains("channel binding"), "{error}");
    }
    // Without binding he is not: that is what it is for.
    database.tls.channel_binding = ChannelBindingMode::Disable;
    connect_either(&database).await.map_err(anyhow::Error::msg)
}

/// Both kinds of connection: the text of the first error.
async fn connect_either(database: &DatabaseConfig) -> Result<(), String> {
    let replication = cdc::source::connection::ReplicationConnection::connect(database).await;
    let ordinary = cdc::source::Control::new(database)
        .client()
        .await
        .map(|_| ());
    match (replication.map(|_| ()), ordinary) {
        (Ok(()), Ok(())) => Ok(()),
        (Err(one), Err(other)) => Err(format!(
            "{}\n{}",
            crate::tls::told(&one),
            crate::tls::told(&other)
        )),
        (one, other) => Err(format!("they differ: {one:?} {other:?}")),
    }
}

fn acceptor(identity: &Identity) -> Result<TlsAcceptor> {
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes())?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes())?;
    let config = ServerConfig::builder_with_provider(service::tls::crypto_provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn pass_on(mut socket: TcpStream, acceptor: TlsAcceptor, behind: u16) -> Result<()> {
    let mut request = [0; 8];
    socket.read_exact(&mut request).await?;
    socket.write_all(b"S").await?;
    let mut client = acceptor.accept(socket).await?;
    let server = TcpStream::connect(("127.0.0.1", behind)).await?;
    let tls = ClientTls::load(&TlsSettings::new(SslMode::Require))?;
    if let Negotiated::Tls(mut server) = tls.negotiate(server, "localhost").await? {
        copy_bidirectional(&mut client, &mut server).await?;
    }
    Ok(())
}
