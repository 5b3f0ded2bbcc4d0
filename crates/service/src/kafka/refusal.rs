/// Why a broker and this client cannot come together, read from an error or log line of librdkafka: its calls only say that no
/// broker answers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct KafkaRefusal {
    /// What has to change.
    pub kind: RefusalKind,
    /// In librdkafka's words, from the broker's address on.
    pub reason: String,
}

/// What has to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// User or password.
    Credentials,
    /// The mechanism.
    Mechanism,
    /// The broker's certificate is not trusted, or is for another host: librdkafka does not tell them apart.
    Certificate,
    /// The broker does not take ours.
    ClientCertificate,
    /// One speaks TLS or SASL and the other does not: or the broker is just starting or stopping.
    Protocol,
}

impl KafkaRefusal {
    /// The refusal that a log line tells, if it tells one.
    pub fn find(line: &str) -> Option<Self> {
        let lower = line.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        let kind = if has(&[
            "unsupported sasl mechanism",
            "not enabled in the server",
            "no matching mechanism",
        ]) {
            RefusalKind::Mechanism
        } else if has(&[
            "sasl authentication error",
            "sasl authentication failure",
            "invalid credentials",
        ]) {
            RefusalKind::Credentials
        } else if has(&[
            "certificate verify failed",
            "certificate could not be verified",
            "certificate has expired",
        ]) {
            RefusalKind::Certificate
        } else if has(&[
            "alert bad certificate",
            "alert unknown ca",
            "alert certificate",
            "certificate required",
        ]) {
            RefusalKind::ClientCertificate
        } else if has(&[
            "ssl handshake failed",
            "security.protocol",
            "connecting to a plaintext broker listener",
            "connecting to a ssl broker listener",
        ]) {
            RefusalKind::Protocol
        } else {
            return None;
        };
        // `[thrd:sasl_ssl://host:9093/bootstrap]: sasl_ssl://host:9093/bootstrap: SASL ...`
        let reason = line.split_once("]: ").map_or(line, |(_, reason)| reason);
        Some(Self {
            kind,
            reason: reason.trim().to_owned(),
        })
    }

    /// Whether trying again without a change is of no use.
    pub const fn is_final(&self) -> bool {
        !matches!(self.kind, RefusalKind::Protocol)
    }

    /// What the operator can do about it, by the names of Kafka's settings.
    pub const fn hint(&self) -> &'static str {
        match self.kind {
            RefusalKind::Credentials => {
                "check the Kafka user and password (sasl.jaas.config, or sasl.username and sasl.password)"
            }
            RefusalKind::Mechanism => {
                "set sasl.mechanism to one that the broker has enabled: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
            }
            RefusalKind::Certificate => {
                "name the root certificate of the broker's in ssl.truststore.location (type PEM) or ssl.ca.location; where it is named, the broker's certificate has expired or is for another host name (ssl.endpoint.identification.algorithm= empty does not compare names)"
            }
            RefusalKind::ClientCertificate => {
                "name a client certificate that the broker trusts in ssl.keystore.location (PEM or PKCS12)"
            }
            RefusalKind::Protocol => {
                "check that security.protocol is that of the broker's listener: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_lines_tell_what_has_to_change() {
        for (line, kind) in [
            (
                "[thrd:sasl_ssl://b:1/bootstrap]: sasl_ssl://b:1/bootstrap: SASL authentication error: Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-512 (after 6ms in state AUTH_REQ)",
                Some(RefusalKind::Credentials),
            ),
            (
                "[thrd:x]: ssl://b:1/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker certificate could not be verified",
                Some(RefusalKind::Certificate),
            ),
            (
                "[thrd:x]: plaintext://b:1/bootstrap: Disconnected (verify that security.protocol is correctly configured, broker might require SSL)",
                Some(RefusalKind::Protocol),
            ),
            (
                "[thrd:x]: b:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused",
                None,
            ),
        ] {
            let found = KafkaRefusal::find(line);
            assert_eq!(found.as_ref().map(|refusal| refusal.kind), kind, "{line}");
            if let Some(refusal) = found {
                assert!(!refusal.reason.starts_with('['), "{refusal}");
            }
        }
    }
}
