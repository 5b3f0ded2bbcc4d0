use serde::Deserialize;

use crate::{Error, ErrorKind};
use connector::Registration;

/// What the registry's error body says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Refusal {
    #[serde(default)]
    error_code: i64,
    #[serde(default)]
    message: String,
}

/// The registry's own words.
#[derive(Debug, thiserror::Error)]
#[error("the registry answered {status}{}{}", code(*error_code), reason(message))]
struct Said {
    status: u16,
    error_code: i64,
    message: String,
}

fn code(code: i64) -> String {
    if code == 0 {
        String::new()
    } else {
        format!(" (error_code {code})")
    }
}

/// Its message on one line, cut: some registries answer with a whole schema or a stack trace.
fn reason(message: &str) -> String {
    const LONGEST: usize = 600;
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        _ if line.is_empty() => line,
        Some((end, _)) => format!(": {}...", line.split_at(end).0),
        None => format!(": {line}"),
    }
}

/// The error of an answer that is no success. `attempted` names the subject.
pub(super) fn refused(
    attempted: String,
    registration: Registration,
    status: u16,
    body: &[u8],
) -> Error {
    let refusal: Refusal = serde_json::from_slice(body).unwrap_or_else(|_| Refusal {
        error_code: 0,
        message: String::from_utf8_lossy(body).into_owned(),
    });
    let (kind, hint) = match status {
        401 | 403 => (
            ErrorKind::Permission,
            "check basic.auth.credentials.source and basic.auth.user.info of the converter, and what that user may do",
        ),
        404 if registration == Registration::Register => (
            ErrorKind::Configuration,
            "check the registry's URL: it must be the root of Confluent's API, for Apicurio .../apis/ccompat/v7",
        ),
        404 => (
            ErrorKind::Configuration,
            "register the schema under that subject first, or let the converter do it: auto.register.schemas=true",
        ),
        409 => (
            ErrorKind::Encode,
            "the table's new columns do not fit the subject's compatibility level: give a new column a default or make it \
             nullable, lower the level (PUT /config/<subject>), or delete the subject if no one reads the old events; \
             nothing was written, and the connector goes on from the same place when it is restarted",
        ),
        422 => (
            ErrorKind::Encode,
            "the registry takes no such Avro schema: set schema.name.adjustment.mode and field.name.adjustment.mode to avro",
        ),
        _ => (
            ErrorKind::Connection,
            "check the registry; it is asked again when the connector starts again",
        ),
    };
    Error::new(kind, attempted)
        .with_hint(hint)
        .with_source(Said {
            status,
            error_code: refusal.error_code,
            message: refusal.message,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_what_to_do() {
        for (status, body, kind, said, hinted) in [
            (
                409,
                r#"{"error_code":409,"message":"Schema being registered is incompatible with an earlier schema"}"#,
                ErrorKind::Encode,
                "incompatible with an earlier schema",
                "compatibility level",
            ),
            (
                401,
                r#"{"error_code":401,"message":"Unauthorized"}"#,
                ErrorKind::Permission,
                "Unauthorized",
                "basic.auth",
            ),
            (404, "<html>", ErrorKind::Configuration, "<html>", "URL"),
            (500, "", ErrorKind::Connection, "500", "asked again"),
        ] {
            let error = refused("x".into(), Registration::Register, status, body.as_bytes());
            assert_eq!(error.kind(), kind);
            let source = std::error::Error::source(&error).expect("a source");
            assert!(source.to_string().contains(said), "{source}");
            assert!(error.hint().contains(hinted), "{}", error.hint());
        }
    }
}
