use std::io::{self, Write};

use tracing_subscriber::fmt::MakeWriter;

/// Standard error, on which every event is one line: what a server or a library says may have several, and a line that
/// does not begin with a time belongs to nobody.
#[derive(Debug, Clone, Copy)]
pub struct OneLine;

impl<'a> MakeWriter<'a> for OneLine {
    type Writer = EventWriter<io::StderrLock<'a>>;

    fn make_writer(&'a self) -> Self::Writer {
        EventWriter(io::stderr().lock())
    }
}

/// Takes an event with each write, as the formatter hands it over.
#[derive(Debug)]
pub struct EventWriter<W>(W);

impl<W: Write> Write for EventWriter<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let (text, end) = match event.split_last() {
            Some((b'\n', text)) => (text, &b"\n"[..]),
            _ => (event, &b""[..]),
        };
        if !text.contains(&b'\n') {
            self.0.write_all(event)?;
            return Ok(event.len());
        }
        let mut line = Vec::with_capacity(event.len() + 16);
        for part in text.split(|byte| matches!(byte, b'\n' | b'\r')) {
            let part = part.trim_ascii();
            if part.is_empty() {
                continue;
            }
            if !line.is_empty() {
                line.extend_from_slice(b"; ");
            }
            line.extend_from_slice(part);
        }
        line.extend_from_slice(end);
        self.0.write_all(&line)?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line() {
        for (event, want) in [
            ("WARN it failed\n", "WARN it failed\n"),
            ("", ""),
            (
                "WARN failed error=error: a\ncaused by: b\r\n\n  hint: c\n",
                "WARN failed error=error: a; caused by: b; hint: c\n",
            ),
        ] {
            let mut writer = EventWriter(Vec::new());
            writer.write_all(event.as_bytes()).expect("write");
            assert_eq!(String::from_utf8_lossy(&writer.0), want);
        }
    }

    #[test]
    fn the_formatter_hands_over_whole_events() {
        #[derive(Clone, Default)]
        struct Kept(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
        impl Write for Kept {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().expect("lock").extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || EventWriter(writer.clone()))
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(error = %"error: a\ncaused by: b", "first\nsecond");
            tracing::warn!("third");
        });
        let text = String::from_utf8(kept.0.lock().expect("lock").clone()).expect("text");
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(
            text.contains("first; second error=error: a; caused by: b\n"),
            "{text}"
        );
    }
}
