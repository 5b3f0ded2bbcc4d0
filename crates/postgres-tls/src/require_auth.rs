//! Which ways of logging in the server may ask for: libpq's `require_auth`, and what holds without it.
//!
//! A server that asks for the password gets it, and so does an impostor in its place. Where the connection does not prove who
//! the server is, only SCRAM is answered, which proves the password without telling it, and makes the server prove that
//! it knows it too.

use std::{error::Error, fmt, io, str::FromStr};

/// What a server can ask for. GSSAPI, SSPI and OAuth can be named, and are never answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    /// Nothing, or nothing that involves a password: trust, peer, a certificate.
    None,
    /// The password in clear.
    Password,
    /// The MD5 of the password, salted.
    Md5,
    /// SCRAM-SHA-256, with channel binding or without.
    ScramSha256,
    /// GSSAPI.
    Gss,
    /// SSPI.
    Sspi,
    /// OAuth bearer tokens.
    Oauth,
}

impl AuthMethod {
    const NAMES: [(&'static str, Self); 7] = [
        ("none", Self::None),
        ("password", Self::Password),
        ("md5", Self::Md5),
        ("scram-sha-256", Self::ScramSha256),
        ("gss", Self::Gss),
        ("sspi", Self::Sspi),
        ("oauth", Self::Oauth),
    ];

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for AuthMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(_, method)| method == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

/// What a connection proves of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerProof {
    /// TCP without TLS: it may be anybody, and anybody may listen.
    Plain,
    /// TLS with a certificate that is not verified: it may be anybody.
    UnverifiedTls,
    /// A verified certificate, or a Unix socket.
    Known,
}

/// `require_auth`: a list of methods, or of methods that are not allowed (`!password,!md5`). Without one, what the
/// connection is decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequireAuth {
    /// A bit for each method.
    allowed: Option<u8>,
}

impl RequireAuth {
    /// Whether the server may ask for this.
    ///
    /// # Errors
    /// It may not.
    pub fn admits(self, method: AuthMethod, proof: ServerProof) -> Result<(), AuthRefused> {
        let by_default = match (method, proof) {
            (AuthMethod::Password, ServerProof::Plain | ServerProof::UnverifiedTls)
            | (AuthMethod::Md5, ServerProof::Plain) => false,
            (AuthMethod::Password, ServerProof::Known)
            | (AuthMethod::Md5, ServerProof::UnverifiedTls | ServerProof::Known)
            | (
                AuthMethod::None
                | AuthMethod::ScramSha256
                | AuthMethod::Gss
                | AuthMethod::Sspi
                | AuthMethod::Oauth,
                _,
            ) => true,
        };
        let admitted = match self.allowed {
            Some(allowed) => allowed & method.bit() != 0,
            None => by_default,
        };
        if admitted {
            return Ok(());
        }
        Err(AuthRefused {
            method,
            proof,
            by_list: self.allowed.is_some(),
        })
    }
}

impl FromStr for RequireAuth {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const ALL: u8 = 0x7f;
        let (mut listed, mut negated) = (0, None);
        for entry in text.split(',').map(str::trim) {
            let (name, not) = match entry.strip_prefix('!') {
                Some(name) => (name, true),
                None => (entry, false),
            };
            let known = AuthMethod::NAMES.iter().find(|(known, _)| *known == name);
            let Some((_, method)) = known else {
                let names = AuthMethod::NAMES.map(|(name, _)| name).join(", ");
                return Err(format!("require_auth `{name}` is none of {names}"));
            };
            if negated.is_some_and(|negated| negated != not) {
                return Err(
                    "require_auth lists either what is allowed or what is not (`!md5,!password`), not both"
                        .to_owned(),
                );
            }
            negated = Some(not);
            listed |= method.bit();
        }
        let allowed = if negated == Some(true) {
            ALL & !listed
        } else {
            listed
        };
        Ok(Self {
            allowed: Some(allowed),
        })
    }
}

/// The server asked for something that it may not ask for. Nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthRefused {
    method: AuthMethod,
    proof: ServerProof,
    by_list: bool,
}

impl AuthRefused {
    /// The refusal in an error's chain, if there is one.
    pub fn find(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref::<Self>() {
                return Some(*found);
            }
            // An io::Error does not show what it wraps as its source, but that one's source.
            next = match error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref)
            {
                Some(inner) => Some(inner),
                None => error.source(),
            };
        }
        None
    }

    /// What the operator can do about it. `setting` is the name that require_auth has there.
    pub fn hint(&self, setting: &str) -> String {
        if self.by_list {
            return format!(
                "{setting} does not list `{}`: add it, or let pg_hba.conf ask for something that is listed",
                self.method
            );
        }
        format!(
            "whoever answers there would have the password: let the server ask for scram-sha-256 (password_encryption, then set the role's password anew; pg_hba.conf), or verify the server (sslmode=verify-full with sslrootcert); where the network is trusted, {setting}={} allows it",
            self.method
        )
    }
}

impl fmt::Display for AuthRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.method {
            AuthMethod::None => "the server lets us in without asking who we are",
            AuthMethod::Password => "the server asks for the password in clear",
            AuthMethod::Md5 => "the server asks for the password's MD5 hash",
            AuthMethod::ScramSha256 => "the server asks for SCRAM-SHA-256",
            AuthMethod::Gss | AuthMethod::Sspi | AuthMethod::Oauth => {
                "the server asks for a login that is not supported"
            }
        })?;
        if self.by_list {
            return f.write_str(", which require_auth does not allow");
        }
        f.write_str(match self.proof {
            ServerProof::Plain => " over a connection without TLS",
            ServerProof::UnverifiedTls => " and its certificate is not verified",
            ServerProof::Known => "",
        })
    }
}

impl Error for AuthRefused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_scram_is_answered_where_the_server_may_be_anybody() {
        use {AuthMethod as M, ServerProof as P};
        for (method, plain, unverified, known) in [
            (M::None, true, true, true),
            (M::Password, false, false, true),
            (M::Md5, false, true, true),
            (M::ScramSha256, true, true, true),
        ] {
            for (proof, want) in [
                (P::Plain, plain),
                (P::UnverifiedTls, unverified),
                (P::Known, known),
            ] {
                let admitted = RequireAuth::default().admits(method, proof);
                assert_eq!(admitted.is_ok(), want, "{method} {proof:?}");
                if let Err(refused) = admitted {
                    let hint = refused.hint("database.requireAuth");
                    assert!(
                        hint.contains(&format!("database.requireAuth={method}")),
                        "{hint}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_list_is_libpqs() {
        use AuthMethod as M;
        for (text, allowed) in [
            ("password", vec![M::Password]),
            ("scram-sha-256, md5", vec![M::ScramSha256, M::Md5]),
            ("none", vec![M::None]),
            (
                "!password,!md5",
                vec![M::None, M::ScramSha256, M::Gss, M::Sspi, M::Oauth],
            ),
        ] {
            let list: RequireAuth = text.parse().unwrap();
            for (_, method) in M::NAMES {
                for proof in [ServerProof::Plain, ServerProof::Known] {
                    let admitted = list.admits(method, proof).is_ok();
                    assert_eq!(admitted, allowed.contains(&method), "{text}: {method}");
                }
            }
        }
        for text in ["", "scram", "md5,!password", "md5,,none", "!"] {
            assert!(text.parse::<RequireAuth>().is_err(), "{text}");
        }
    }

    #[test]
    fn it_is_found_below_other_errors() {
        let refused = RequireAuth::default()
            .admits(AuthMethod::Password, ServerProof::Plain)
            .unwrap_err();
        let wrapped = io::Error::new(io::ErrorKind::PermissionDenied, refused);
        assert_eq!(AuthRefused::find(&wrapped), Some(refused));
        assert_eq!(AuthRefused::find(&io::Error::other("x")), None);
    }
}
