//! Reads along while tokio-postgres logs in, so that a request that may not be answered never reaches it.

use crate::{
    RequireAuth,
    require_auth::{AuthMethod, AuthRefused, ServerProof},
};

/// Type and length of a message, and the code of an authentication request (PostgreSQL manual, "Message Formats").
const HEAD: usize = 5;
const CODE: usize = 4;

/// Follows the server's bytes from the first one to AuthenticationOk.
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
    over: bool,
}

impl LoginWatch {
    pub(crate) fn new(rule: RequireAuth, proof: ServerProof) -> Self {
        Self {
            rule,
            proof,
            head: Vec::with_capacity(HEAD + CODE),
            skipped: 0,
            asked: false,
            over: false,
        }
    }

    /// Look at what the server sent.
    ///
    /// # Errors
    /// It asks for something that it may not ask for.
    pub(crate) fn see(&mut self, mut bytes: &[u8]) -> Result<(), AuthRefused> {
        while !self.over {
            let skip = self.skipped.min(bytes.len());
            self.skipped -= skip;
            let Some((byte, rest)) = bytes.get(skip..).and_then(<[u8]>::split_first) else {
                break;
            };
            bytes = rest;
            self.head.push(*byte);
            let wanted = if self.head.first() == Some(&b'R') {
                HEAD + CODE
            } else {
                HEAD
            };
            if self.head.len() == wanted {
                self.message()?;
            }
        }
        Ok(())
    }

    fn message(&mut self) -> Result<(), AuthRefused> {
        let number = |at: usize| {
            let bytes = self
                .head
                .get(at..at + CODE)
                .and_then(|it| it.first_chunk::<CODE>());
            bytes.map_or(0, |bytes| u32::from_be_bytes(*bytes))
        };
        // The length counts itself.
        let length = usize::try_from(number(1)).unwrap_or(usize::MAX);
        let code = (self.head.len() > HEAD).then(|| number(HEAD));
        let seen = self.head.len() - 1;
        self.skipped = length.saturating_sub(seen);
        self.head.clear();
        let method = match code {
            None => return Ok(()),
            Some(0) => {
                self.over = true;
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
        self.rule.admits(method, self.proof)
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
                let seen: Result<Vec<()>, _> =
                    bytes.chunks(step).map(|chunk| watch.see(chunk)).collect();
                assert_eq!(seen.is_ok(), admitted, "{rule:?} {bytes:?} by {step}");
            }
        }
    }
}
