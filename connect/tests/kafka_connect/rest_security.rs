//! The REST face over TLS and with a login, through an ordinary HTTP client.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use connect::{BasicAuth, RestTls};
use reqwest::{Client, StatusCode, header};
use serde_json::{Value, json};
use service::tls::{certificates, crypto_provider, private_key, root_store};
use stack::{Authority, Identity, Kafka, Postgres, until};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::rest::{PATIENCE, Rest, connector};

/// Under the name of the certificate.
fn url(rest: &Rest, path: &str) -> String {
    let port = rest.address.rsplit(':').next().unwrap_or_default();
    format!("https://localhost:{port}{path}")
}

async fn ready(rest: &Rest, client: &Client) -> Result<()> {
    until("the worker", PATIENCE, async || {
        // Whoever watches over it needs no login.
        let ready = client.get(url(rest, "/readyz")).send().await?;
        Ok((ready.status() == StatusCode::OK).then_some(()))
    })
    .await
}

/// A client that trusts this root, and shows this certificate.
fn client(root: &Path, own: Option<(&Path, &Path)>) -> Result<Client> {
    let builder = rustls::ClientConfig::builder_with_provider(crypto_provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(root_store(root)?);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            builder.with_client_auth_cert(certificates(certificate)?, private_key(key, None)?)?
        }
    };
    let builder = Client::builder().no_proxy().timeout(PATIENCE);
    Ok(builder.use_preconfigured_tls(config).build()?)
}

/// Certificate and key of a server in one file, the way Kafka Connect's key stores are.
fn one_file(folder: &Path, identity: &Identity) -> Result<std::path::PathBuf> {
    let path = folder.join("rest.pem");
    std::fs::write(&path, format!("{}{}", identity.key, identity.certificate))?;
    Ok(path)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rest_over_tls_with_a_login() -> Result<()> {
    let (kafka, postgres) = tokio::try_join!(Kafka::start(), Postgres::start())?;
    postgres.create_database("rest").await?;
    let folder = tempfile::tempdir()?;
    let (authority, other) = (Authority::new("the root")?, Authority::new("another")?);
    let (root, stranger) = (
        folder.path().join("root.pem"),
        folder.path().join("other.pem"),
    );
    std::fs::write(&root, authority.pem())?;
    std::fs::write(&stranger, other.pem())?;
    let store = one_file(folder.path(), &authority.server(&["localhost"])?)?;
    let tls = RestTls {
        certificate: store.clone(),
        key: store,
        client_ca: None,
    };
    let rest = Rest::launch(
        |config| {
            config.rest_tls = Some(tls.clone());
            config.rest_auth = Some(BasicAuth::of("admin", "s3cret"));
            config.show_secrets = true;
        },
        &kafka,
    )
    .await?;
    let trusting = client(&root, None)?;
    ready(&rest, &trusting).await?;

    logins(&rest, &trusting).await?;
    whom_clients_refuse(&rest, &stranger, &trusting).await?;
    let hung = hung_handshake(&rest.address);
    let served = passwords_are_shown_where_asked_for(&rest, &trusting, &postgres);
    tokio::try_join!(hung, served)?;
    rest.end().await?;
    only_known_clients(&kafka, tls, folder.path(), &root).await
}

/// 401 as Kafka Connect's BasicAuthSecurityRestExtension answers it.
async fn logins(rest: &Rest, client: &Client) -> Result<()> {
    for path in ["/", "/connectors", "/connectors/", "/nosuch", "/metrics"] {
        for login in [None, Some(("admin", "wrong")), Some(("nobody", "s3cret"))] {
            let mut request = client.get(url(rest, path));
            if let Some((user, password)) = login {
                request = request.basic_auth(user, Some(password));
            }
            let answer = request.send().await?;
            ensure!(
                answer.status() == StatusCode::UNAUTHORIZED,
                "{path} {login:?}"
            );
            let asks = answer.headers().get(header::WWW_AUTHENTICATE).cloned();
            ensure!(
                asks.is_some_and(|asks| asks.as_bytes().starts_with(b"Basic realm=")),
                "{path} {login:?}"
            );
            let kind = answer.headers().get(header::CONTENT_TYPE).cloned();
            ensure!(
                kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain")),
                "{path}"
            );
            assert_eq!(answer.text().await?, "User cannot access the resource.");
        }
    }
    let root = client
        .get(url(rest, "/"))
        .basic_auth("admin", Some("s3cret"));
    let root: Value = serde_json::from_slice(&root.send().await?.bytes().await?)?;
    assert_eq!(root["version"], "3.9.1");
    Ok(())
}

async fn whom_clients_refuse(rest: &Rest, stranger: &Path, trusting: &Client) -> Result<()> {
    let unknown = client(stranger, None)?.get(url(rest, "/")).send().await;
    let error = unknown.err().context("an unknown root was trusted")?;
    ensure!(error.is_connect(), "{error:?}");
    let by_address = format!("https://{}/", rest.address);
    let error = trusting.get(by_address).send().await;
    let error = error.err().context("another name was accepted")?;
    ensure!(error.is_connect(), "{error:?}");
    // Plain HTTP gets no answer in plain text, and harms nobody.
    let plain = Client::builder().no_proxy().timeout(PATIENCE).build()?;
    let answer = plain.get(format!("http://{}/", rest.address)).send().await;
    ensure!(answer.is_err(), "{answer:?}");
    let again = trusting.get(url(rest, "/healthz")).send().await?;
    assert_eq!(again.status(), StatusCode::OK);
    Ok(())
}

/// A client that never says its part of the handshake is hung up on.
async fn hung_handshake(address: &str) -> Result<()> {
    let started = Instant::now();
    let mut silent = TcpStream::connect(address).await?;
    // The beginning of a TLS record whose end never comes.
    silent.write_all(&[0x16, 0x03, 0x01]).await?;
    let mut rest = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(30), silent.read_to_end(&mut rest)).await;
    end.context("a hung handshake was kept open")?.ok();
    ensure!(started.elapsed() > Duration::from_secs(5));
    Ok(())
}

async fn passwords_are_shown_where_asked_for(
    rest: &Rest,
    client: &Client,
    postgres: &Postgres,
) -> Result<()> {
    let mut config = connector(postgres, "secured");
    config["snapshot.mode"] = json!("no_data");
    let body = json!({"name": "secured", "config": config}).to_string();
    let created = client
        .post(url(rest, "/connectors/"))
        .basic_auth("admin", Some("s3cret"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(body)
        .send()
        .await?;
    assert_eq!(created.status(), StatusCode::CREATED);
    let location = created.headers().get(header::LOCATION).cloned();
    let location = location.context("no Location")?;
    assert_eq!(location.to_str()?, url(rest, "/connectors/secured"));
    for path in ["", "/config", "/tasks"] {
        let url = url(rest, &format!("/connectors/secured{path}"));
        let shown = client.get(url).basic_auth("admin", Some("s3cret"));
        let shown = shown.send().await?.text().await?;
        let password = format!("\"database.password\":\"{}\"", postgres.password());
        ensure!(shown.contains(&password), "{path}: {shown}");
    }
    Ok(())
}

/// With a root of its own for clients, only those with a certificate come in.
async fn only_known_clients(kafka: &Kafka, tls: RestTls, folder: &Path, root: &Path) -> Result<()> {
    let clients = Authority::new("clients")?;
    let client_ca = folder.join("clients.pem");
    std::fs::write(&client_ca, clients.pem())?;
    let rest = Rest::launch(
        |config| {
            config.config_topic = "known_configs".to_owned();
            config.rest_tls = Some(RestTls {
                client_ca: Some(client_ca),
                ..tls
            });
        },
        kafka,
    )
    .await?;
    let (certificate, key) = clients.client("alice")?.write(folder, "alice")?;
    let known = client(root, Some((&certificate, &key)))?;
    ready(&rest, &known).await?;
    let unknown = client(root, None)?.get(url(&rest, "/")).send().await;
    ensure!(unknown.is_err(), "{unknown:?}");
    let strangers = Authority::new("strangers")?;
    let (certificate, key) = strangers.client("mallory")?.write(folder, "mallory")?;
    let stranger = client(root, Some((&certificate, &key)))?;
    let stranger = stranger.get(url(&rest, "/")).send().await;
    ensure!(stranger.is_err(), "{stranger:?}");
    let answer = known.get(url(&rest, "/connectors")).send().await?;
    assert_eq!(answer.text().await?, "[]");
    rest.end().await
}

/// Passwords within URLs are secrets, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_in_urls_are_redacted_and_stay_what_they_are() -> Result<()> {
    let (kafka, postgres) = tokio::try_join!(Kafka::start(), Postgres::start())?;
    postgres.create_database("rest").await?;
    let rest = Rest::start(|_| {}, &kafka).await?;
    let mut config = connector(&postgres, "url");
    let url = "http://u:hunter2@127.0.0.1:1";
    for (name, value) in [
        ("value.converter", "io.confluent.connect.avro.AvroConverter"),
        ("value.converter.schema.registry.url", url),
        ("snapshot.mode", "no_data"),
    ] {
        config[name] = json!(value);
    }
    let body = json!({"name": "url", "config": config, "initial_state": "STOPPED"});
    let created = rest.call("POST", "/connectors", Some(&body)).await?;
    assert_eq!(created.status, 201, "{}", created.text);
    let shown = rest.get("/connectors/url/config").await?;
    ensure!(!shown.text.contains("hunter2"), "{}", shown.text);
    // What was read is sent back, as a UI does.
    let mut again = shown.json()?;
    again["tombstones.on.delete"] = json!("false");
    let put = rest
        .call("PUT", "/connectors/url/config", Some(&again))
        .await?;
    assert_eq!(put.status, 200, "{}", put.text);
    let stored = kafka.read_all("connect_configs", true).await?;
    let last = stored
        .iter()
        .rfind(|record| record.key.as_deref() == Some(b"connector-url"))
        .and_then(|record| record.value.as_deref())
        .context("the stored connector")?;
    let last: Value = serde_json::from_slice(last)?;
    assert_eq!(
        last["properties"]["value.converter.schema.registry.url"],
        url
    );
    assert_eq!(last["properties"]["tombstones.on.delete"], "false");
    rest.end().await
}
