//! Reads along while tokio-postgres logs in, so that a request that may not be answered never reaches it.
//!
//! Invariant: until the first ReadyForQuery nobody knows who the server is and what it is up to. So far no message is longer
//! than `LONGEST`, and all of them together are not more than `WHOLE`: tokio-postgres would keep everything in memory.

use crate::{
    RequireAuth,
    require_auth::{AuthMethod, AuthRefused, ServerProof},
};

/// Type and length of a message, and the code of an authentication request (PostgreSQL manual, "Message Formats").
const HEAD: usize = 5;
const CODE: usize = 4;

/// libpq's bound for a message of these kinds.
const LONGEST: usize = 30_000;
/// Some tens of kilobytes are usual: the settings that a server tells, and notices of a login trigger.
const WHOLE: usize = 1 << 20;

/// Why a login does not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoginRefused {
    #[error(transparent)]
    Auth(#[from] AuthRefused),
    #[error(
        "the server sends a message of {0} bytes before it has let us in: no PostgreSQL server does, check host and port"
    )]
    TooLong(usize),
    #[error(
        "the server has sent more than {WHOLE} bytes and has not let us in: no PostgreSQL server does, check host and port"
    )]
    TooMuch,
}

/// Follows the server's bytes from the first one to the first ReadyForQuery.
#[derive(Debug)]
pub(crate) struct LoginWatch {
    rule: RequireAuth,
    proof: ServerProof,
    /// The beginning of a message that has not come whole.
    head: Vec<u8>,
    /// So many bytes of a message are still to come and are of no interest.
    skipped: usize,
    /// The server asked for something; being let in is its answer to that.
    asked: bool,
    let_in: bool,
    over: bool,
    /// Bytes of the login so far.
    seen: usize,
}

impl LoginWatch {
    pub(crate) fn new(rule: RequireAuth, proof: ServerProof) -> Self {
        Self {
            rule,
            proof,
            head: Vec::with_capacity(HEAD + CODE),
            skipped: 0,
            asked: false,
            let_in: false,
            over: false,
            seen: 0,
        }
    }

    /// Look at what the server sent. What is left is none of the login any more.
    ///
    /// # Errors
    /// It asks for something that it may not ask for, or sends more than a login has.
    pub(crate) fn see<'a>(&mut self, mut bytes: &'a [u8]) -> Result<&'a [u8], LoginRefused> {
        if !self.over {
            self.seen = self.seen.saturating_add(bytes.len());
        }
        while !self.over {
            let skip = self.skipped.min(bytes.len());
            self.skipped -= skip;
            let Some((byte, rest)) = bytes.get(skip..).and_then(<[u8]>::split_first) else {
                // What comes after the login in the same read is none of it.
                return match self.seen > WHOLE {
                    true => Err(LoginRefused::TooMuch),
                    false => Ok(&[]),
                };
            };
            bytes = rest;
            self.head.push(*byte);
            // The length alone makes tokio-postgres take the memory.
            if let [_, length @ ..] = self.head.as_slice()
                && let Ok(length) = <[u8; CODE]>::try_from(length)
            {
                let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                if length > LONGEST {
                    return Err(LoginRefused::TooLong(length));
                }
            }
            let wanted = if self.head.first() == Some(&b'R') && !self.let_in {
                HEAD + CODE
            } else {
                HEAD
            };
            if self.head.len() == wanted {
                self.message()?;
            }
        }
        // The rest of the ReadyForQuery.
        let skip = self.skipped.min(bytes.len());
        self.skipped -= skip;
        Ok(bytes.get(skip..).unwrap_or_default())
    }

    fn message(&mut self) -> Result<(), LoginRefused> {
        let number = |at: usize| {
            let bytes = self
                .head
                .get(at..at + CODE)
                .and_then(|it| it.first_chunk::<CODE>());
            bytes.map_or(0, |bytes| u32::from_be_bytes(*bytes))
        };
        // The length counts itself.
        let length = usize::try_from(number(1)).unwrap_or(usize::MAX);
        self.over = self.head.first() == Some(&b'Z');
        let code = (self.head.len() > HEAD).then(|| number(HEAD));
        let seen = self.head.len() - 1;
        self.skipped = length.saturating_sub(seen);
        self.head.clear();
        let method = match code {
            None => return Ok(()),
            Some(0) => {
                self.let_in = true;
                if self.asked {
                    return Ok(());
                }
                AuthMethod::None
            }
            Some(3) => AuthMethod::Password,
            Some(5) => AuthMethod::Md5,
            Some(10) => AuthMethod::ScramSha256,
            // The exchange goes on; what it is not part of, tokio-postgres refuses.
            Some(_) => return Ok(()),
        };
        self.asked = true;
        Ok(self.rule.admits(method, self.proof)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap();
        [&[tag], length.to_be_bytes().as_slice(), body].concat()
    }

    fn request(code: u32, rest: &[u8]) -> Vec<u8> {
        message(b'R', &[code.to_be_bytes().as_slice(), rest].concat())
    }

    #[test]
    fn a_login_is_bounded_until_the_server_is_ready() {
        let head = |tag: u8, length: u32| [&[tag], length.to_be_bytes().as_slice()].concat();
        let ok = request(0, &[]);
        let ready = message(b'Z', b"I");
        let status = message(b'S', &[b'x'; 20_000]);
        let endless = status.repeat(100);
        let row = message(b'D', &[0; 40_000]);
        for (bytes, admitted) in [
            (head(b'E', 0x7fff_ffff), false),
            (head(b'R', 0x7fff_ffff), false),
            ([ok.clone(), head(b'S', 0x7fff_ffff)].concat(), false),
            ([ok.clone(), head(b'N', 30_001)].concat(), false),
            ([ok.clone(), status.clone(), ready.clone()].concat(), true),
            ([ok.clone(), endless.clone(), ready.clone()].concat(), false),
            // What follows is a connection that somebody trusts with its rows.
            ([ok, ready, row, endless].concat(), true),
        ] {
            for step in [1, 5, 4096, bytes.len()] {
                let rule = "none".parse().unwrap();
                let mut watch = LoginWatch::new(rule, ServerProof::Plain);
                let seen: Result<Vec<_>, _> =
                    bytes.chunks(step).map(|chunk| watch.see(chunk)).collect();
                let about = bytes.get(..20.min(bytes.len()));
                // The whole in one read holds the end of the login as well.
                let whole = step == bytes.len() && bytes.len() > WHOLE;
                assert!(
                    seen.is_ok() == admitted || whole,
                    "{about:?} by {step}: {seen:?}"
                );
            }
        }
    }

    #[test]
    fn requests_are_seen_however_the_bytes_come() {
        let notice = message(b'N', b"SNOTICE\0R\0\0\0\x08\0\0\0\x03\0");
        let ok = request(0, &[]);
        let after = message(b'S', b"client_encoding\0UTF8\0");
        let scram = [
            request(10, b"SCRAM-SHA-256\0\0"),
            request(11, b"r=x,s=y,i=4096"),
            request(12, b"v=z"),
        ]
        .concat();
        for (rule, bytes, admitted) in [
            ("", request(3, &[]), false),
            ("", request(5, b"salt"), false),
            ("", [notice.clone(), request(3, &[])].concat(), false),
            ("", [scram.clone(), ok.clone()].concat(), true),
            (
                "",
                [notice.clone(), ok.clone(), after.clone()].concat(),
                true,
            ),
            // What follows is none of its business, whatever it looks like.
            ("", [ok.clone(), after, request(3, &[])].concat(), true),
            ("", message(b'E', b"SFATAL\0\0"), true),
            ("password", [request(3, &[]), ok.clone()].concat(), true),
            ("scram-sha-256", [scram.clone(), ok.clone()].concat(), true),
            ("scram-sha-256", ok.clone(), false),
            ("!scram-sha-256", scram, false),
        ] {
            for step in 1..=bytes.len() {
                let rule = if rule.is_empty() {
                    RequireAuth::default()
                } else {
                    rule.parse().unwrap()
                };
                let mut watch = LoginWatch::new(rule, ServerProof::Plain);
                let seen: Result<Vec<_>, _> =
                    bytes.chunks(step).map(|chunk| watch.see(chunk)).collect();
                assert_eq!(seen.is_ok(), admitted, "{rule:?} {bytes:?} by {step}");
            }
        }
    }
}
