use std::path::Path;

use anyhow::{Context, Result};

use super::KafkaSecurity;

/// Arguments of `--add-scram`.
pub fn scram(security: Option<&KafkaSecurity>) -> Vec<String> {
    let users = security
        .map(|with| with.users.as_slice())
        .unwrap_or_default();
    users
        .iter()
        .flat_map(|(name, password)| {
            ["SCRAM-SHA-256", "SCRAM-SHA-512"]
                .map(|mechanism| format!("{mechanism}=[name={name},password={password}]"))
        })
        .collect()
}

/// Lines of `server.properties` for listeners on these ports: without TLS, of the controller, SASL_SSL and SSL. The
/// certificates are written to `home`.
pub fn listeners(
    security: &KafkaSecurity,
    home: &Path,
    [plain, controller, sasl_ssl, ssl]: [u16; 4],
) -> Result<Vec<(String, String)>> {
    let store = home.join("server.pem");
    std::fs::write(
        &store,
        format!("{}{}", security.server.key, security.server.certificate),
    )
    .context("write Kafka's certificate")?;
    let users: String = security
        .users
        .iter()
        .map(|(name, password)| format!(" user_{name}=\"{password}\""))
        .collect();
    let mut lines = vec![
        (
            "listeners",
            format!(
                "PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{sasl_ssl},SSL://127.0.0.1:{ssl},CONTROLLER://127.0.0.1:{controller}"
            ),
        ),
        (
            "advertised.listeners",
            format!(
                "PLAINTEXT://127.0.0.1:{plain},SASL_SSL://localhost:{sasl_ssl},SSL://localhost:{ssl}"
            ),
        ),
        (
            "listener.security.protocol.map",
            "PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL,CONTROLLER:PLAINTEXT".to_owned(),
        ),
        (
            "sasl.enabled.mechanisms",
            "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512".to_owned(),
        ),
        (
            "listener.name.sasl_ssl.plain.sasl.jaas.config",
            format!("org.apache.kafka.common.security.plain.PlainLoginModule required{users};"),
        ),
        ("ssl.keystore.type", "PEM".to_owned()),
        ("ssl.keystore.location", store.display().to_string()),
    ];
    for name in [
        "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config",
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config",
    ] {
        let module = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
        lines.push((name, module.to_owned()));
    }
    if let Some(root) = &security.client_root {
        let path = home.join("clients.pem");
        std::fs::write(&path, root).context("write the root of Kafka's clients")?;
        lines.push(("listener.name.ssl.ssl.client.auth", "required".to_owned()));
        lines.push(("ssl.truststore.type", "PEM".to_owned()));
        lines.push(("ssl.truststore.location", path.display().to_string()));
    }
    Ok(lines
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect())
}
