//! Standard output, whose reader may go: `tributary sql ... | head -1` is no failure of anybody's.

use std::io::{self, BufWriter, Stdout, Write};

/// Standard output, buffered.
#[derive(Debug)]
pub struct Output<W: Write = Stdout> {
    inner: BufWriter<W>,
    closed: bool,
}

impl Output {
    pub fn stdout() -> Self {
        Self::on(io::stdout())
    }
}

impl<W: Write> Output<W> {
    fn on(inner: W) -> Self {
        Self {
            inner: BufWriter::new(inner),
            closed: false,
        }
    }

    /// Whether its reader has gone, after which nothing that is written is of use. The formats that are written turn the
    /// error into text of theirs, so it is noted where it comes from.
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    fn noted<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &done {
            self.closed |= error.kind() == io::ErrorKind::BrokenPipe;
        }
        done
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let done = self.inner.write(bytes);
        self.noted(done)
    }

    fn flush(&mut self) -> io::Result<()> {
        let done = self.inner.flush();
        self.noted(done)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::{OutputFormat, write_result};

    struct Fails(io::ErrorKind);

    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_reader_that_has_gone_is_known_in_every_format() {
        for (kind, closed) in [
            (io::ErrorKind::BrokenPipe, true),
            (io::ErrorKind::StorageFull, false),
        ] {
            for format in [
                OutputFormat::Table,
                OutputFormat::Csv,
                OutputFormat::Json,
                OutputFormat::Parquet,
            ] {
                let mut out = Output::on(Fails(kind));
                let rows = "select value as n from range(0, 3000) order by 1";
                let frame = SessionContext::new().sql(rows).await.unwrap();
                let written = write_result(frame, format, &mut out).await;
                let failed = written.is_err() || out.flush().is_err();
                assert!(failed && out.is_closed() == closed, "{kind:?} {format:?}");
            }
        }
    }
}
