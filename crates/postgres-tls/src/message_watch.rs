//! Reads along after the login, so that no message is longer than what the connection is for.
//!
//! Invariant: tokio-postgres never sees the length of a message that is longer than [`LongestMessage`] allows. It keeps a
//! message whole and takes the memory for it as soon as the length has come, and all rows of an answer until somebody
//! asks for them: a program that answers in the server's place would decide how much memory that is.

/// Type and length of a message (PostgreSQL manual, "Message Formats"). The length counts itself.
const HEAD: usize = 5;

/// What may come on a connection after its login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LongestMessage {
    /// Answers about the catalog, results of commands: 64 MiB a message, and 1 GiB all messages of an answer together.
    Answer,
    /// Rows of tables, one a message. PostgreSQL makes no message longer than 1 GiB, and COPY has any number of them.
    Row,
}

impl LongestMessage {
    const fn bytes(self) -> usize {
        match self {
            Self::Answer => 64 << 20,
            Self::Row => (1 << 30) + 1024,
        }
    }

    /// From one ReadyForQuery to the next.
    const fn whole(self) -> usize {
        match self {
            Self::Answer => 1 << 30,
            Self::Row => usize::MAX,
        }
    }
}

/// The server sends more than it has to say.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerRefused {
    #[error(
        "the server announces a message of {length} bytes where {longest} are the most: no PostgreSQL server sends one here, check who listens at host and port"
    )]
    TooLong { length: usize, longest: usize },
    #[error(
        "the server has sent more than {whole} bytes in answer to one query: no PostgreSQL server does here, check who listens at host and port"
    )]
    TooMuch { whole: usize },
}

/// Why a connection was given up whose server sent more than it has to say; None where it ended for another reason. Those
/// who wait for an answer are only told that it has ended.
pub fn answer_refused(ended: &tokio_postgres::Error) -> Option<String> {
    let reason = std::error::Error::source(ended)?;
    let reason = reason.downcast_ref::<std::io::Error>()?.get_ref()?;
    let refused = reason.downcast_ref::<AnswerRefused>()?;
    Some(refused.to_string())
}

/// Follows the server's bytes from the first one after the login.
#[derive(Debug)]
pub(crate) struct MessageWatch {
    longest: LongestMessage,
    /// The beginning of a message that has not come whole, and how much of it has.
    head: [u8; HEAD],
    come: usize,
    /// So many bytes of a message are still to come.
    skipped: usize,
    /// Bytes of the answer so far.
    answer: usize,
}

impl MessageWatch {
    pub(crate) const fn new(longest: LongestMessage) -> Self {
        Self {
            longest,
            head: [0; HEAD],
            come: 0,
            skipped: 0,
            answer: 0,
        }
    }

    /// Look at what the server sent.
    ///
    /// # Errors
    /// A message or an answer is longer than any of a PostgreSQL server.
    pub(crate) fn see(&mut self, mut bytes: &[u8]) -> Result<(), AnswerRefused> {
        while !bytes.is_empty() {
            let skip = self.skipped.min(bytes.len());
            self.skipped -= skip;
            bytes = bytes.get(skip..).unwrap_or_default();
            let head = self.head.get_mut(self.come..).unwrap_or_default();
            let taken = head.len().min(bytes.len());
            let (of_head, rest) = bytes.split_at(taken);
            for (place, byte) in head.iter_mut().zip(of_head) {
                *place = *byte;
            }
            self.come += taken;
            bytes = rest;
            if self.come == HEAD {
                self.message()?;
            }
        }
        Ok(())
    }

    fn message(&mut self) -> Result<(), AnswerRefused> {
        let [kind, length @ ..] = self.head;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        let longest = self.longest.bytes();
        if length > longest {
            return Err(AnswerRefused::TooLong { length, longest });
        }
        self.come = 0;
        // A length below that of itself tokio-postgres refuses.
        self.skipped = length.saturating_sub(HEAD - 1);
        self.answer = match kind {
            b'Z' => 0,
            _ => self.answer.saturating_add(length),
        };
        let whole = self.longest.whole();
        if self.answer > whole {
            return Err(AnswerRefused::TooMuch { whole });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(kind: u8, length: usize) -> Vec<u8> {
        let length = u32::try_from(length).unwrap();
        [&[kind], length.to_be_bytes().as_slice()].concat()
    }

    fn sees(longest: LongestMessage, bytes: &[u8], step: usize) -> bool {
        let mut watch = MessageWatch::new(longest);
        bytes.chunks(step).all(|chunk| watch.see(chunk).is_ok())
    }

    #[test]
    fn a_length_beyond_what_the_connection_is_for_is_refused_before_the_message_comes() {
        use LongestMessage::{Answer, Row};
        let row = [head(b'D', 104), vec![0xff; 100]].concat();
        let ready = [head(b'Z', 5), b"I".to_vec()].concat();
        let rows = [row.as_slice(), &ready, &row].concat();
        for (longest, length, admitted) in [
            (Answer, 64 << 20, true),
            (Answer, (64 << 20) + 1, false),
            (Answer, 0x7fff_ffff, false),
            (Answer, 0xffff_ffff, false),
            (Row, 1 << 30, true),
            (Row, 0x7fff_ffff, false),
        ] {
            let bytes = [rows.as_slice(), &head(b'd', length)].concat();
            for step in [1, 3, 5, 4096] {
                assert_eq!(
                    sees(longest, &bytes, step),
                    admitted,
                    "{longest:?} {length}"
                );
            }
        }
    }

    #[test]
    fn an_answer_without_end_is_given_up() {
        let part = 32 << 20;
        let message = [head(b'D', part + 4), vec![0; part]].concat();
        let ready = [head(b'Z', 5), b"I".to_vec()].concat();
        let feed = |longest, ends: bool| {
            let mut watch = MessageWatch::new(longest);
            (0..40).all(|_| watch.see(&message).is_ok() && (!ends || watch.see(&ready).is_ok()))
        };
        assert!(!feed(LongestMessage::Answer, false));
        assert!(feed(LongestMessage::Answer, true));
        assert!(feed(LongestMessage::Row, false));
    }

    /// Lets everybody in, and answers the first query with the head of a message of so many bytes.
    async fn rogue(length: usize) -> std::io::Result<u16> {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await?;
            let mut asked = [0; 4096];
            // What is asked does not matter, only that something is.
            let _: usize = socket.read(&mut asked).await?;
            socket.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I").await?;
            let _: usize = socket.read(&mut asked).await?;
            socket.write_all(&head(b'D', length)).await?;
            // The connection stays, and a reader of the rest waits for ever.
            while socket.read(&mut asked).await? > 0 {}
            std::io::Result::Ok(())
        });
        Ok(port)
    }

    #[tokio::test]
    async fn a_rogue_server_is_left_when_it_announces_too_much() {
        for (longest, length, refused) in [
            (LongestMessage::Answer, 900 << 20, true),
            (LongestMessage::Row, 2_000_000_000, true),
            (LongestMessage::Row, 100, false),
        ] {
            let mut config = tokio_postgres::Config::new();
            let port = rogue(length).await.expect("a server");
            config.host("127.0.0.1").port(port).user("u").dbname("d");
            let settings = crate::TlsSettings {
                mode: crate::SslMode::Disable,
                require_auth: "none".parse().expect("a rule"),
                ..crate::TlsSettings::default()
            };
            let connected = crate::connect(&config, &settings, longest).await;
            let (client, connection) = connected.expect("to be let in");
            let connection = tokio::spawn(connection);
            let asked = client.simple_query("select 1");
            // What is admitted comes in its own time, here never.
            let patience = std::time::Duration::from_secs(if refused { 60 } else { 1 });
            let answer = tokio::time::timeout(patience, asked).await;
            assert_eq!(answer.is_ok(), refused, "{longest:?} {length}: {answer:?}");
            if refused {
                let error = connection.await.expect("an end").expect_err("a refusal");
                let reason = answer_refused(&error).unwrap_or_default();
                assert!(
                    reason.contains("announces a message of"),
                    "{error} {reason}"
                );
            }
        }
    }
}
