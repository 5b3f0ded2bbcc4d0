//! One question over HTTP, answered whole: the faces of services on this machine need no more.

use std::{fmt, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// How long a service may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// More than this is no page of numbers.
const LONGEST: u64 = 64 << 20;

/// `host:port` of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    authority: String,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}

impl Endpoint {
    /// `http://host:port`, or `host:port`; a path behind it counts for nothing.
    ///
    /// # Errors
    /// Another scheme, or no host.
    pub fn parse(text: &str) -> Result<Self, String> {
        const WANTED: &str = "want http://host:port";
        let rest = match text.split_once("://") {
            Some(("http", rest)) => rest,
            Some((scheme, _)) => {
                return Err(format!(
                    "only http:// can be asked, not {scheme}://: {WANTED}"
                ));
            }
            None => text,
        };
        let authority = rest.split('/').next().unwrap_or_default();
        if authority.is_empty() || authority.contains('@') {
            return Err(WANTED.to_owned());
        }
        let authority = if authority.rsplit_once(':').is_some() {
            authority.to_owned()
        } else {
            format!("{authority}:80")
        };
        Ok(Self { authority })
    }

    /// The body of an answer; None where the service has no such page.
    ///
    /// # Errors
    /// Why it does not answer, or what it answers in its place.
    pub async fn get(&self, path: &str) -> Result<Option<String>, String> {
        let asked = tokio::time::timeout(ANSWER, self.ask(path)).await;
        let answer = asked
            .map_err(|_| format!("it has not answered within {} s", ANSWER.as_secs()))?
            .map_err(|error| error.to_string())?;
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .ok_or("its answer is not HTTP")?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        match status {
            "200" => Ok(Some(body.to_owned())),
            "404" => Ok(None),
            "401" | "403" => Err(format!(
                "it answers {status}: it lets nobody in without a login"
            )),
            other => Err(format!("it answers {other}")),
        }
    }

    async fn ask(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(&self.authority).await?;
        // 1.0: the answer comes in one piece and ends with the connection.
        let request = format!(
            "GET {path} HTTP/1.0\r\nHost: {}\r\nAccept: */*\r\n\r\n",
            self.authority
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(LONGEST).read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_host_and_a_port() {
        for (text, shown) in [
            ("http://127.0.0.1:8083/metrics", "http://127.0.0.1:8083"),
            ("cdc:8083", "http://cdc:8083"),
            ("http://cdc", "http://cdc:80"),
        ] {
            assert_eq!(Endpoint::parse(text).expect(text).to_string(), shown);
        }
        for text in ["https://cdc", "http://", "http://me:word@cdc:1"] {
            assert!(Endpoint::parse(text).is_err(), "{text}");
        }
    }
}
