//! The list of brokers that a setting names: whether it is one, and whether anybody is there.

use std::{fmt, io, str::FromStr, time::Duration};

use tokio::net::TcpStream;

/// The names of listeners that librdkafka and Kafka's Java client take before a broker's address.
const PROTOCOLS: [&str; 4] = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];

/// How long one look at a broker may take.
const LOOK: Duration = Duration::from_secs(1);

const WANTED: &str = "want `host:port`, or several with commas between";

/// `host:port,host:port`, as `bootstrap.servers` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brokers(Vec<Broker>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Broker {
    /// An address of IPv6 stands without its brackets.
    host: String,
    port: u16,
}

impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

/// Why a list of brokers cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BrokersError(String);

impl FromStr for Brokers {
    type Err = BrokersError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let entries = text.split(',').map(str::trim);
        let brokers: Vec<Broker> = entries
            .filter(|entry| !entry.is_empty())
            .map(|entry| broker(entry).map_err(BrokersError))
            .collect::<Result<_, _>>()?;
        if brokers.is_empty() {
            return Err(BrokersError(format!("it names no broker: {WANTED}")));
        }
        Ok(Self(brokers))
    }
}

fn broker(entry: &str) -> Result<Broker, String> {
    let address = match entry.split_once("://") {
        None => entry,
        Some((scheme, address)) if PROTOCOLS.contains(&scheme.to_ascii_uppercase().as_str()) => {
            address
        }
        Some((scheme, _)) => {
            return Err(format!(
                "`{entry}` is a URL, and Kafka is not spoken to by {scheme}: {WANTED}"
            ));
        }
    };
    let Some((host, port)) = address.rsplit_once(':') else {
        return Err(format!("`{entry}` has no port: {WANTED}"));
    };
    let port = match port.parse() {
        Ok(0) | Err(_) => {
            return Err(format!(
                "`{port}` of `{entry}` is not a port from 1 to 65535: {WANTED}"
            ));
        }
        Ok(port) => port,
    };
    let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let is_host = match bare {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            !host.is_empty() && host.bytes().all(letter)
        }
    };
    if !is_host {
        return Err(format!(
            "`{host}` of `{entry}` is not the name or the address of a host: {WANTED}"
        ));
    }
    Ok(Broker {
        host: bare.unwrap_or(host).to_owned(),
        port,
    })
}

impl Brokers {
    /// Look once whether anybody listens: nothing where one of them does, else what is wrong with each. What is found may
    /// be another a moment later; it is told to people, and decides nothing.
    pub async fn unreached(&self) -> Vec<String> {
        let looks = self.0.iter().map(|broker| {
            let broker = broker.clone();
            tokio::spawn(async move { broker.trouble().await })
        });
        let looks: Vec<_> = looks.collect();
        let mut troubles = Vec::new();
        for look in looks {
            // A look that did not end is not known to be in trouble.
            match look.await.ok().flatten() {
                Some(trouble) => troubles.push(trouble),
                None => return Vec::new(),
            }
        }
        troubles
    }
}

impl Broker {
    async fn trouble(&self) -> Option<String> {
        let look = async {
            let resolved = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
            let addresses: Vec<_> = match resolved {
                Ok(addresses) => addresses.collect(),
                Err(error) => {
                    return Some(format!(
                        "the name of `{self}` is not known to the name service ({error})"
                    ));
                }
            };
            let mut last = None;
            for address in addresses {
                match TcpStream::connect(address).await {
                    Ok(_) => return None,
                    Err(error) => last = Some(error),
                }
            }
            Some(match last {
                Some(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    format!("nothing listens at `{self}` (connection refused)")
                }
                Some(error) => format!("`{self}` cannot be reached ({error})"),
                None => format!("the name of `{self}` has no address"),
            })
        };
        match tokio::time::timeout(LOOK, look).await {
            Ok(trouble) => trouble,
            Err(_) => Some(format!("`{self}` has not answered for {LOOK:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_brokers_is_hosts_with_ports() {
        for list in [
            "127.0.0.1:9092",
            "kafka:9092, kafka-2.example.com:9093,",
            "[::1]:9092",
            "SASL_SSL://kafka:9093",
            "under_score:1",
        ] {
            assert!(list.parse::<Brokers>().is_ok(), "{list}");
        }
        for (list, said) in [
            ("kafka", "`kafka` has no port"),
            ("kafka:9092,other", "`other` has no port"),
            ("http://kafka:9092", "is a URL"),
            ("kafka:banana", "`banana`"),
            ("kafka:0", "`0`"),
            ("kafka:70000", "`70000`"),
            ("kafka:", "is not a port"),
            (":9092", "is not the name"),
            ("kaf ka:9092", "`kaf ka`"),
            ("::1:9092", "`::1`"),
            ("[kafka]:9092", "`[kafka]`"),
            (",", "names no broker"),
        ] {
            let error = list.parse::<Brokers>().expect_err(list).to_string();
            assert!(
                error.contains(said) && error.contains("host:port"),
                "{list}: {error}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_wrong_with_an_address_is_told() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let here = listener.local_addr().expect("its address");
        let look = async |list: &str| {
            let brokers: Brokers = list.parse().expect(list);
            brokers.unreached().await.join("; ")
        };
        assert_eq!(look(&here.to_string()).await, "");
        // One is enough: a client needs no more to find the others.
        assert_eq!(look(&format!("127.0.0.1:1,{here}")).await, "");
        let refused = look("127.0.0.1:1").await;
        assert!(
            refused.contains("nothing listens at `127.0.0.1:1`"),
            "{refused}"
        );
        // A name that the standard keeps from being given to anybody.
        let unknown = look("kafka.invalid:9092").await;
        assert!(unknown.contains("kafka.invalid:9092"), "{unknown}");
    }
}
