//! Host names and ports of a compose file as those of this machine.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, anyhow};
use regex::{Captures, Regex};
use serde_json::Value;

use super::file::ComposeFile;
use crate::free_port;

/// Which loopback ports stand for those of the containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ports {
    /// Those that the file publishes; the same number for ports that only other containers see.
    Published,
    /// A free one for each.
    Free,
}

/// Turns the host names and ports of a compose file into loopback ones.
#[derive(Debug)]
pub struct Addresses {
    ports: Ports,
    /// Service names and network aliases, to service names.
    hosts: BTreeMap<String, String>,
    /// (service, container port) to the host's port.
    chosen: Mutex<BTreeMap<(String, u16), u16>>,
    host_and_port: Regex,
}

impl Addresses {
    pub fn new(file: &ComposeFile, ports: Ports) -> Result<Self> {
        let mut hosts = BTreeMap::new();
        let mut chosen = BTreeMap::new();
        for (name, service) in &file.services {
            hosts.insert(name.clone(), name.clone());
            let aliases = service
                .networks
                .values()
                .flat_map(|network| &network.aliases);
            hosts.extend(aliases.map(|alias| (alias.clone(), name.clone())));
            for published in &service.ports {
                let (host, container) = published_port(published).ok_or_else(|| {
                    anyhow!("service `{name}`: write port `{published}` as address:port:port")
                })?;
                if ports == Ports::Published {
                    chosen.insert((name.clone(), container), host);
                }
            }
        }
        let host_and_port =
            Regex::new(r"([A-Za-z0-9._-]*):(\d{2,5})\b").context("the pattern of host:port")?;
        Ok(Self {
            ports,
            hosts,
            chosen: Mutex::new(chosen),
            host_and_port,
        })
    }

    /// The service that `host` means.
    fn service(&self, host: &str) -> Option<&str> {
        self.hosts.get(host).map(String::as_str)
    }

    /// The loopback port that stands for `port` of a service's container.
    pub fn native(&self, service: &str, port: u16) -> Result<u16> {
        let mut chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (service.to_owned(), port);
        if let Some(native) = chosen.get(&key) {
            return Ok(*native);
        }
        let native = match self.ports {
            Ports::Published => port,
            Ports::Free => free_port()?,
        };
        chosen.insert(key, native);
        Ok(native)
    }

    /// Every pair of container port and loopback port of a service that was asked for or is published.
    pub fn of(&self, service: &str) -> BTreeMap<u16, u16> {
        let chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        chosen
            .iter()
            .filter(|((name, _), _)| name == service)
            .map(|((_, port), native)| (*port, *native))
            .collect()
    }

    /// A word of service `own` with every address in it mapped: of another service, or its own (`:port`,
    /// `0.0.0.0:port`, `localhost:port`). Addresses of anything else stay.
    pub fn rewrite(&self, own: &str, text: &str) -> Result<String> {
        let mut failure = None;
        let result = self
            .host_and_port
            .replace_all(text, |found: &Captures<'_>| {
                let service = match &found[1] {
                    "" | "0.0.0.0" | "127.0.0.1" | "localhost" => Some(own),
                    host => self.service(host),
                };
                let native = service
                    .zip(found[2].parse().ok())
                    .map(|(service, port)| self.native(service, port));
                match native {
                    Some(Ok(native)) => format!("127.0.0.1:{native}"),
                    Some(Err(error)) => {
                        failure = Some(error);
                        String::new()
                    }
                    None => found[0].to_owned(),
                }
            });
        match failure {
            Some(error) => Err(error),
            None => Ok(result.into_owned()),
        }
    }

    /// A JSON document with the addresses in its texts mapped, those also that are spread over two members
    /// `<name>.hostname` and `<name>.port`.
    pub fn rewrite_json(&self, own: &str, value: &mut Value) -> Result<()> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all other YAML values are alike here"
        )]
        match value {
            Value::String(text) => *text = self.rewrite(own, text)?,
            Value::Array(items) => items
                .iter_mut()
                .try_for_each(|item| self.rewrite_json(own, item))?,
            Value::Object(members) => {
                for item in members.values_mut() {
                    self.rewrite_json(own, item)?;
                }
                let hosts: Vec<(String, String)> = members
                    .iter()
                    .filter(|(name, _)| name.ends_with("hostname"))
                    .filter_map(|(name, host)| {
                        Some((name.clone(), self.service(host.as_str()?)?.to_owned()))
                    })
                    .collect();
                for (name, service) in hosts {
                    let port_name = name.replace("hostname", "port");
                    if let Some(Value::String(port)) = members.get_mut(&port_name) {
                        let number = port
                            .parse()
                            .with_context(|| format!("`{port_name}` is no port: `{port}`"))?;
                        *port = self.native(&service, number)?.to_string();
                    }
                    members.insert(name, Value::String("127.0.0.1".to_owned()));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// `address:host port:container port`
fn published_port(text: &str) -> Option<(u16, u16)> {
    let (rest, container) = text.rsplit_once(':')?;
    let (_, host) = rest.rsplit_once(':')?;
    Some((host.parse().ok()?, container.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::file::{Network, Service};

    fn addresses(ports: Ports) -> Addresses {
        let service = |published: &[&str], alias: &str| Service {
            ports: published.iter().map(|port| (*port).to_owned()).collect(),
            networks: BTreeMap::from([(
                "default".to_owned(),
                Network {
                    aliases: vec![alias.to_owned()],
                },
            )]),
            ..Service::default()
        };
        let services = BTreeMap::from([
            (
                "kafka".to_owned(),
                service(&["127.0.0.1:9192:9092"], "broker"),
            ),
            (
                "minio".to_owned(),
                service(&["127.0.0.1:9000:9000"], "object-store"),
            ),
        ]);
        let file = ComposeFile {
            root: "/".into(),
            services,
        };
        Addresses::new(&file, ports).expect("addresses")
    }

    #[test]
    fn names_and_own_ports_become_loopback_addresses() {
        let addresses = addresses(Ports::Published);
        for (text, expected) in [
            ("http://minio:9000/x", "http://127.0.0.1:9000/x"),
            (
                "object-store:9000,broker:9092",
                "127.0.0.1:9000,127.0.0.1:9192",
            ),
            (
                "A://:9092,B://:19092",
                "A://127.0.0.1:9192,B://127.0.0.1:19092",
            ),
            ("0.0.0.0:9092", "127.0.0.1:9192"),
            (":9092", "127.0.0.1:9192"),
            ("1@kafka:29093", "1@127.0.0.1:29093"),
            (
                "A:PLAINTEXT,B:12 at other:1234",
                "A:PLAINTEXT,B:12 at other:1234",
            ),
        ] {
            assert_eq!(addresses.rewrite("kafka", text).expect(text), expected);
        }
    }

    #[test]
    fn a_free_port_stays_the_same_for_all_who_ask() {
        let addresses = addresses(Ports::Free);
        let first = addresses.rewrite("minio", ":9000").expect("rewrite");
        assert_eq!(
            addresses.rewrite("kafka", "minio:9000").expect("rewrite"),
            first
        );
        assert_ne!(addresses.rewrite("minio", ":9001").expect("rewrite"), first);
    }

    #[test]
    fn a_host_and_its_port_may_be_two_members() {
        let mut json = serde_json::json!({"config": {"database.hostname": "kafka", "database.port": "9092", "n": 1}});
        addresses(Ports::Published)
            .rewrite_json("minio", &mut json)
            .expect("rewrite");
        let expected = serde_json::json!({"config": {"database.hostname": "127.0.0.1", "database.port": "9192", "n": 1}});
        assert_eq!(json, expected);
    }
}
