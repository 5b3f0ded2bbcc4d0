use std::str::Utf8Error;

use thiserror::Error;

/// Why bytes from the walsender are not a message of the replication protocol.
///
/// `offset` counts bytes from the start of the slice given to the parser. The texts name fields of the format and
/// never carry row values, so they are safe to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ParseError {
    /// The message is shorter than its own fields say.
    #[error("message ends too early: {reading} expected at byte {offset}")]
    UnexpectedEnd {
        /// The field that did not fit.
        reading: &'static str,
        /// Where that field begins.
        offset: usize,
    },
    /// A type byte that this version of the format does not have.
    #[error("unknown {reading} 0x{tag:02x} at byte {offset}")]
    UnknownTag {
        /// What the byte selects.
        reading: &'static str,
        /// The byte found.
        tag: u8,
        /// Where it stands.
        offset: usize,
    },
    /// A name that is not UTF-8: the connection was opened without `client_encoding = UTF8`.
    #[error(
        "{reading} at byte {offset} is not UTF-8; open the connection with client_encoding UTF8"
    )]
    InvalidUtf8 {
        /// The name's role.
        reading: &'static str,
        /// Where it begins.
        offset: usize,
        /// Where in it the encoding breaks.
        source: Utf8Error,
    },
    /// A count or length below zero.
    #[error("{reading} at byte {offset} is negative: {value}")]
    NegativeLength {
        /// What is counted.
        reading: &'static str,
        /// Where the number stands.
        offset: usize,
        /// The number found.
        value: i32,
    },
    /// The message was read to its end and bytes are left. Also what a message looks like when `in_stream` does
    /// not say what the server does.
    #[error("{count} bytes left after the end of {message} at byte {offset}")]
    TrailingBytes {
        /// The message that was read.
        message: &'static str,
        /// Where it ended.
        offset: usize,
        /// How many bytes follow.
        count: usize,
    },
}
