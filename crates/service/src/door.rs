//! Who may speak to an HTTP face, by the names that a request carries.
//!
//! A web page can make a browser speak to 127.0.0.1 or to a machine of the local network: by a name of its own that it lets
//! point there (DNS rebinding), and by requests across origins. The browser says so itself: `Host` is the name that the
//! page was loaded from, `Origin` is the page. So a request is let in where its host is a name of ours or a bare address,
//! which nobody can let point elsewhere, and where it comes from no page or from one of ours.

mod place;

use std::{collections::BTreeSet, net::Ipv6Addr};

use http::{HeaderMap, Uri, header};

use place::Place;

/// The names that an HTTP face is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// Hosts, and the port where one is named with it.
    names: BTreeSet<(String, Option<u16>)>,
    /// `.example.com`, for every name below it.
    domains: BTreeSet<String>,
    /// Names of ours: they are hosts, and no pages of others'.
    ours: BTreeSet<String>,
    everybody: bool,
    behind_tls: bool,
    /// The setting that lets in more, for the answer.
    setting: String,
}

impl Door {
    /// Loopback names, addresses and the names of this list: `db.example.com`, `.example.com` and `*.example.com` for
    /// all below it, `*` for no check at all. `setting` is where the list is set.
    pub fn new<'a>(allowed: impl IntoIterator<Item = &'a str>, setting: &str) -> Self {
        let mut door = Self {
            names: BTreeSet::new(),
            domains: BTreeSet::new(),
            ours: BTreeSet::new(),
            everybody: false,
            behind_tls: false,
            setting: setting.to_owned(),
        };
        for entry in allowed {
            let entry = entry.trim().to_ascii_lowercase();
            let domain = entry.strip_prefix('*').unwrap_or(&entry);
            if entry == "*" {
                door.everybody = true;
            } else if domain.starts_with('.') {
                door.domains.insert(domain.to_owned());
            } else if let Some(Place { host, port }) = Place::parse(&entry) {
                door.names.insert((host, port));
            } else if !entry.is_empty() {
                // An address of IPv6 without its brackets.
                door.names.insert((format!("[{entry}]"), None));
            }
        }
        door
    }

    /// Whether every entry of a list, with commas between, is a name that [`Self::new`] can compare with.
    ///
    /// # Errors
    /// The first entry that no request can ever name, and what an entry is.
    pub fn check(list: &str) -> Result<(), String> {
        let is_name = |entry: &str| {
            let below = entry.strip_prefix('*').unwrap_or(entry);
            let place = Place::parse(below.strip_prefix('.').unwrap_or(entry));
            entry == "*"
                || entry.parse::<Ipv6Addr>().is_ok()
                // All below a name, at whatever port.
                || place.is_some_and(|it| it.port.is_none() || !below.starts_with('.'))
        };
        let entries = list.split(',').map(str::trim);
        match entries.filter(|it| !it.is_empty()).find(|it| !is_name(it)) {
            None => Ok(()),
            Some(entry) => Err(format!(
                "`{entry}` is not the name of a host: want names as `connect`, `connect:8083`, `.example.com` for all below it, or `*` for any, with commas between"
            )),
        }
    }

    /// The same door under one more name of ours, as `host` or `host:port`. Pages of other ports there are not ours.
    #[must_use]
    pub fn and(mut self, name: &str) -> Self {
        self.ours
            .extend(Place::parse(name.trim()).map(|place| place.host));
        self
    }

    /// The same door where TLS keeps it: a browser that was led here by another name is told so by the certificate.
    #[must_use]
    pub fn behind_tls(mut self) -> Self {
        self.behind_tls = true;
        self
    }

    /// Whether a request is let in.
    ///
    /// # Errors
    /// Why not, and what to set.
    pub fn admits(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), String> {
        if self.everybody {
            return Ok(());
        }
        let said = headers.get_all(header::HOST).into_iter();
        let said: Vec<Option<&str>> = said.map(|host| host.to_str().ok()).collect();
        // A proxy's form of a request names the host once more.
        for host in said
            .iter()
            .copied()
            .chain(uri.authority().map(|it| Some(it.as_str())))
        {
            if !self.behind_tls && !host.is_some_and(|host| self.is_ours(host)) {
                return Err(self.refusal("Host", host));
            }
        }
        let host = said.first().copied().flatten();
        for origin in headers.get_all(header::ORIGIN) {
            let origin = origin.to_str().ok();
            if !origin.is_some_and(|origin| self.is_our_page(origin, host)) {
                return Err(self.refusal("Origin", origin));
            }
        }
        Ok(())
    }

    fn is_ours(&self, host: &str) -> bool {
        let Some(place) = Place::parse(host) else {
            return false;
        };
        let named = self.names.iter().any(|(name, _)| *name == place.host);
        place.is_loopback_or_address()
            || named
            || self.ours.contains(&place.host)
            || self.is_below_a_domain(&place.host)
    }

    fn is_below_a_domain(&self, name: &str) -> bool {
        self.domains.iter().any(|domain| name.ends_with(domain))
    }

    /// Invariant: a page is ours by scheme, host and port together; any two of them are another program's. A page of
    /// another host is let in where the host is named: at the port that is named with it, or at the usual ports and ours.
    fn is_our_page(&self, origin: &str, host: Option<&str>) -> bool {
        let Some((scheme, authority)) = origin.split_once("://") else {
            return false;
        };
        let usual = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return false,
        };
        let Some(page) = Place::parse(authority) else {
            return false;
        };
        let port = page.port.unwrap_or(usual);
        let our_scheme = if self.behind_tls { "https" } else { "http" };
        let our_usual = if self.behind_tls { 443 } else { 80 };
        let here = host.and_then(Place::parse);
        let our_port = here.as_ref().map(|place| place.port.unwrap_or(our_usual));
        let same_host = here.is_some_and(|place| place.host == page.host);
        if same_host && scheme == our_scheme && our_port == Some(port) {
            return true;
        }
        let at_a_named_port = |named: Option<u16>| match named {
            Some(named) => named == port,
            None => port == 80 || port == 443 || our_port == Some(port),
        };
        let named = self
            .names
            .iter()
            .any(|(name, named)| *name == page.host && at_a_named_port(*named));
        named || self.is_below_a_domain(&page.host) && at_a_named_port(None)
    }

    fn refusal(&self, header: &str, value: Option<&str>) -> String {
        format!(
            "The request has the {header} `{}`, which is none of this server's names. Add the name to {} if it is one.",
            value.unwrap_or_default(),
            self.setting
        )
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn admits(door: &Door, uri: &str, host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        door.admits(&uri.parse().unwrap(), &headers).is_ok()
    }

    #[test]
    fn only_our_names_and_addresses_are_hosts() {
        let allowed = ["cdc", "*.svc.cluster.local", ".example.com", "Other:8083"];
        let door = Door::new(allowed, "cdc.allowed_hosts").and("advertised.net:8083");
        for (host, want) in [
            ("127.0.0.1:8083", true),
            ("10.1.2.3", true),
            ("[::1]:8083", true),
            ("localhost", true),
            ("LOCALHOST:18083", true),
            ("localhost.:80", true),
            ("a.localhost", true),
            ("cdc:8083", true),
            ("other", true),
            ("connect.kafka.svc.cluster.local:8083", true),
            ("x.example.com", true),
            ("advertised.net", true),
            ("evil.example", false),
            ("evil.example:8083", false),
            ("example.com", false),
            ("notexample.com", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("evil.example@127.0.0.1", false),
            ("127.0.0.1@evil.example", false),
            ("connect", false),
            ("", false),
            ("a b", false),
            ("2130706433", false),
            ("[::1].evil.com", false),
            ("[::1]evil.com", false),
            ("[::1]:8083.evil.com", false),
            ("[::1", false),
            ("[127.0.0.1]", false),
            ("localhost:evil.com", false),
            ("localhost:", false),
            ("localhost:80:80", false),
            ("localhost:99999", false),
            ("127.0.0.1:8083.evil.com", false),
            ("127.0.0.1:8083/evil.com", false),
            ("a..localhost", false),
            (".localhost", false),
        ] {
            assert_eq!(admits(&door, "/", host, None), want, "{host}");
        }
        assert!(!admits(&door, "http://evil.example/", "127.0.0.1", None));
        assert!(admits(
            &door,
            "http://127.0.0.1:8083/",
            "127.0.0.1:8083",
            None
        ));
        assert!(
            door.admits(&Uri::from_static("/"), &HeaderMap::new())
                .is_ok()
        );
        let mut twice = HeaderMap::new();
        twice.append(header::HOST, HeaderValue::from_static("127.0.0.1"));
        twice.append(header::HOST, HeaderValue::from_static("evil.example"));
        let refused = door.admits(&Uri::from_static("/"), &twice).unwrap_err();
        assert!(refused.contains("evil.example") && refused.contains("cdc.allowed_hosts"));
        assert!(admits(
            &Door::new(["*"], ""),
            "/",
            "evil.example",
            Some("null")
        ));
        let tls = Door::new([], "").behind_tls();
        assert!(admits(&tls, "/", "connect.example.com", None));
        assert!(!admits(
            &tls,
            "/",
            "connect.example.com",
            Some("https://evil.example")
        ));
    }

    #[test]
    fn only_our_pages_are_origins() {
        // As a worker that nobody configured has it: its own address is advertised.
        let allowed = ["console.example.com", "localhost:3001"];
        let door = Door::new(allowed, "").and("127.0.0.1:8083");
        for (host, origin, want) in [
            ("127.0.0.1:8083", "http://127.0.0.1:8083", true),
            ("localhost", "http://localhost", true),
            ("localhost:80", "http://LOCALHOST", true),
            ("[::1]:8083", "http://[::1]:8083", true),
            ("127.0.0.1:8083", "https://console.example.com", true),
            ("127.0.0.1:8083", "http://console.example.com:8083", true),
            ("127.0.0.1:8083", "http://localhost:3001", true),
            ("127.0.0.1:8083", "http://localhost:3002", false),
            ("127.0.0.1:8083", "http://console.example.com:3000", false),
            ("127.0.0.1:8083", "ftp://console.example.com", false),
            ("127.0.0.1:8083", "https://127.0.0.1", false),
            ("127.0.0.1:8083", "https://127.0.0.1:8083", false),
            ("localhost:443", "https://localhost", false),
            ("127.0.0.1:8083", "http://127.0.0.1", false),
            ("127.0.0.1:8083", "http://127.0.0.1:8083.evil.com", false),
            ("127.0.0.1:8083", "http://127.0.0.1:8083/", false),
            ("[::1]:8083", "http://[::1]:8083.evil.com", false),
            ("[::1]:8083", "http://[::1].evil.com:8083", false),
            ("127.0.0.1:8083", "http://127.0.0.1:3000", false),
            ("127.0.0.1:8083", "http://localhost:8083", false),
            ("127.0.0.1:8083", "http://evil.example", false),
            ("127.0.0.1:8083", "http://evil.example:8083", false),
            ("127.0.0.1:8083", "null", false),
            ("127.0.0.1:8083", "file://", false),
            ("127.0.0.1:8083", "", false),
            (
                "127.0.0.1:8083",
                "http://console.example.com@evil.example",
                false,
            ),
        ] {
            assert_eq!(
                admits(&door, "/", host, Some(origin)),
                want,
                "{host} {origin}"
            );
        }
    }
}
