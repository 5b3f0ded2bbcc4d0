use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// An answer of the REST face.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: String,
    pub text: String,
}

impl Answer {
    /// A header's value, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.lines().find_map(|line| {
            let (header, value) = line.split_once(':')?;
            header.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The body as JSON; null where it is empty.
    pub fn json(&self) -> Result<Value> {
        if self.text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&self.text).with_context(|| self.text.clone())
    }
}

/// One request with a body of JSON, on a connection of its own.
pub async fn request(
    address: &str,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<Answer> {
    let body = body.map(Value::to_string);
    let kind = ("Content-Type".to_owned(), "application/json".to_owned());
    let headers = body.is_some().then_some(kind);
    send(address, method, path, headers.as_slice(), body.as_deref()).await
}

/// One request with these headers, on a connection of its own.
pub async fn send(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(String, String)],
    body: Option<&str>,
) -> Result<Answer> {
    let mut stream = TcpStream::connect(address)
        .await
        .context("connect to the REST face")?;
    let body = body.unwrap_or_default();
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    request.push_str(body);
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let Some((headers, text)) = answer.split_once("\r\n\r\n") else {
        bail!("{method} {path}: the answer is not HTTP: {answer}");
    };
    let status = headers.split(' ').nth(1).context("no status")?.parse()?;
    Ok(Answer {
        status,
        headers: headers.to_owned(),
        text: text.to_owned(),
    })
}
