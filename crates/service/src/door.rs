//! Who may speak to an HTTP face, by the names that a request carries.
//!
//! A web page can make a browser speak to 127.0.0.1 or to a machine of the local network: by a name of its own that it lets
//! point there (DNS rebinding), and by requests across origins. The browser says so itself: `Host` is the name that the
//! page was loaded from, `Origin` is the page. So a request is let in where its host is a name of ours or a bare address,
//! which nobody can let point elsewhere, and where it comes from no page or from one of ours.

use std::{collections::BTreeSet, net::IpAddr};

use http::{HeaderMap, Uri, header, uri::Authority};

/// The names that an HTTP face is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    names: BTreeSet<String>,
    /// `.example.com`, for every name below it.
    domains: BTreeSet<String>,
    everybody: bool,
    any_host: bool,
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
            everybody: false,
            any_host: false,
            setting: setting.to_owned(),
        };
        for entry in allowed {
            let entry = entry.trim().to_ascii_lowercase();
            let domain = entry.strip_prefix('*').unwrap_or(&entry);
            if entry == "*" {
                door.everybody = true;
            } else if domain.starts_with('.') {
                door.domains.insert(domain.to_owned());
            } else if !entry.is_empty() {
                door.names.insert(without_port(&entry).to_owned());
            }
        }
        door
    }

    /// The same door under one more name of ours, as `host` or `host:port`.
    #[must_use]
    pub fn and(mut self, name: &str) -> Self {
        let name = without_port(name.trim()).to_ascii_lowercase();
        if !name.is_empty() {
            self.names.insert(name);
        }
        self
    }

    /// The same door where TLS keeps it: a browser that was led here by another name is told so by the certificate.
    #[must_use]
    pub fn behind_tls(mut self) -> Self {
        self.any_host = true;
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
            if !self.any_host && !host.is_some_and(|host| self.is_ours(host)) {
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
        let Some(name) = host_name(host) else {
            return false;
        };
        let loopback = name == "localhost" || name.ends_with(".localhost");
        loopback || is_address(&name) || self.is_named(&name)
    }

    fn is_named(&self, name: &str) -> bool {
        self.names.contains(name) || self.domains.iter().any(|domain| name.ends_with(domain))
    }

    /// A page of the same host and port, or of a host that is named. A page of another port is another program's.
    fn is_our_page(&self, origin: &str, host: Option<&str>) -> bool {
        let Some((scheme, authority)) = origin.split_once("://") else {
            return false;
        };
        let default = if scheme.eq_ignore_ascii_case("https") {
            443
        } else {
            80
        };
        let place = |authority: &str| {
            let port = authority.parse::<Authority>().ok()?.port_u16();
            Some((host_name(authority)?, port.unwrap_or(default)))
        };
        match place(authority) {
            Some(page) if host.and_then(place).as_ref() == Some(&page) => true,
            Some((name, _)) => self.is_named(&name),
            None => false,
        }
    }

    fn refusal(&self, header: &str, value: Option<&str>) -> String {
        format!(
            "The request has the {header} `{}`, which is none of this server's names. Add the name to {} if it is one.",
            value.unwrap_or_default(),
            self.setting
        )
    }
}

/// The name of `name:port`, in small letters and without the dot that may end it. None where it is no host.
fn host_name(authority: &str) -> Option<String> {
    let parsed: Authority = authority.parse().ok()?;
    // `user@host`
    if authority.contains('@') || parsed.host().is_empty() {
        return None;
    }
    let name = parsed.host().to_ascii_lowercase();
    Some(name.strip_suffix('.').unwrap_or(&name).to_owned())
}

fn is_address(name: &str) -> bool {
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    bare.unwrap_or(name).parse::<IpAddr>().is_ok()
}

fn without_port(name: &str) -> &str {
    match name.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => name,
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
        let door = Door::new(["console.example.com"], "");
        for (host, origin, want) in [
            ("127.0.0.1:8083", "http://127.0.0.1:8083", true),
            ("localhost", "http://localhost", true),
            ("localhost:443", "https://LOCALHOST", true),
            ("127.0.0.1:8083", "https://console.example.com", true),
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
