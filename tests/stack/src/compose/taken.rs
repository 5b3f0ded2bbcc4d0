//! Ports that services are going to listen on and that somebody else listens on: told before anything is fetched or
//! started, all of them at once.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result, bail};

use super::address::Addresses;
use super::file::ComposeFile;
use super::service::Kind;
use crate::port::holder;

/// Fails where a port of one of the services is taken.
pub fn expect_free(file: &ComposeFile, addresses: &Addresses, services: &[&str]) -> Result<()> {
    name_all(file, addresses)?;
    let mut taken = Vec::new();
    for service in services {
        for port in addresses.of(service).into_values() {
            let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) else {
                continue;
            };
            if error.kind() != std::io::ErrorKind::AddrInUse {
                return Err(error).with_context(|| {
                    format!("service `{service}` cannot listen on 127.0.0.1:{port}")
                });
            }
            let who = match holder(port) {
                Some((pid, name)) => format!("`{name}`, pid {pid}"),
                None => "a process that this user cannot see".to_owned(),
            };
            taken.push(format!(
                "port {port} of service `{service}` is held by {who}"
            ));
        }
    }
    if !taken.is_empty() {
        bail!(
            "{}\nstop what holds them, or publish other ports in docker-compose.yml",
            taken.join("\n")
        );
    }
    Ok(())
}

/// Ports that are not published are known once an address with them has been read.
fn name_all(file: &ComposeFile, addresses: &Addresses) -> Result<()> {
    for (name, service) in &file.services {
        match Kind::of(service) {
            None => continue,
            Some(Kind::Postgres) => drop(addresses.native(name, 5432)?),
            Some(Kind::Kafka) => drop(addresses.native(name, 9092)?),
            Some(Kind::Minio | Kind::Tributary) => {}
        }
        let checks = service.healthcheck.iter().flat_map(|check| &check.test);
        let values = service.environment.values();
        for word in service.command.iter().chain(values).chain(checks) {
            addresses.rewrite(name, word)?;
        }
    }
    Ok(())
}
