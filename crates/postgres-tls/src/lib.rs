//! TLS and logging in to PostgreSQL with the meanings of libpq's `sslmode` and `require_auth`: for ordinary connections of tokio-postgres and for a bare
//! socket such as the replication connection's.
//!
//! ```text
//! sslmode ---> Attempt, Attempt ---> ClientTls (files read) ---> TlsStream + channel binding
//!                    ^                                                |
//!                    '------- refused, or no handshake <--------------'
//! ```
//!
//! PostgreSQL manual, "SSL Support" of libpq and "SSL Session Encryption" of the protocol.

#![warn(missing_docs)]

mod attempt;
mod certificate;
mod client;
mod connect;
mod connection_string;
mod login_watch;
mod message_watch;
mod problem;
mod require_auth;
mod settings;
mod stream;
mod verifier;

pub use attempt::{Attempt, SslMode, UnknownSslMode};
pub use client::{ClientTls, Negotiated, TlsSetupError, channel_binding};
pub use connect::{ConnectError, connect};
pub use connection_string::{ConnectionStringError, Connector};
pub use message_watch::{LongestMessage, answer_refused};
pub use problem::TlsProblem;
pub use require_auth::{AuthMethod, AuthRefused, RequireAuth, ServerProof};
pub use settings::{ChannelBindingMode, TlsSettings};
pub use stream::PostgresTlsStream;
