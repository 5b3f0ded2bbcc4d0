use anyhow::{Context, Result, anyhow};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Status code, 200 for OK.
    pub status: u16,
    /// The body, lossily as text.
    pub body: String,
}

/// `GET` of an `http://host:port/path` URL over HTTP/1.0, for health checks and small local answers.
///
/// # Errors
/// When the URL is not of that form, or the server does not answer in HTTP.
pub async fn get(url: &str) -> Result<Response> {
    request("GET", url, None).await
}

/// `method` of an `http://host:port/path` URL, with a JSON body where one is given.
///
/// # Errors
/// As [`get`].
pub async fn request(method: &str, url: &str, body: Option<&str>) -> Result<Response> {
    let rest = url
        .strip_prefix("http://")
        .ok_or_else(|| anyhow!("not an http:// URL: `{url}`"))?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(authority)
        .await
        .with_context(|| format!("connect to `{authority}`"))?;
    let body = body.unwrap_or_default();
    let head = format!(
        "{method} /{path} HTTP/1.0\r\nHost: {authority}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let answer = async {
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = answer.await.with_context(|| format!("{method} `{url}`"))?;
    parse(&String::from_utf8_lossy(&answer))
        .ok_or_else(|| anyhow!("the answer to {method} `{url}` is not HTTP"))
}

fn parse(answer: &str) -> Option<Response> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head
        .strip_prefix("HTTP/1.")?
        .split(' ')
        .nth(1)?
        .parse()
        .ok()?;
    Some(Response {
        status,
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_body_are_told_apart() {
        let answer = parse("HTTP/1.1 404 Not Found\r\nserver: x\r\n\r\n{\"error_code\":404}");
        assert_eq!(
            answer,
            Some(Response {
                status: 404,
                body: "{\"error_code\":404}".into()
            })
        );
        assert_eq!(parse("SSH-2.0-x"), None);
    }
}
