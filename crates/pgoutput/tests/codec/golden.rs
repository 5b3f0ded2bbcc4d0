//! What PostgreSQL sent, byte for byte, and what it must decode to.
//!
//! Each folder of `data/golden/pgoutput` has a capture and `decoded.txt`. `TRIBUTARY_BLESS=1` rewrites the latter.

use std::path::{Path, PathBuf};

use pgoutput::{PgOutputMessage, ReplicationMessage};

use crate::render;

fn golden_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/golden/pgoutput")
}

/// Every capture: its folder, and the bytes of its lines. `framed` says that a line is a whole CopyData payload.
pub struct Capture {
    pub folder: PathBuf,
    pub framed: bool,
    pub lines: Vec<Vec<u8>>,
}

pub fn captures() -> Vec<Capture> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(golden_dir())
        .expect("list the golden folder")
        .map(|entry| entry.expect("read the golden folder").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    assert!(!folders.is_empty(), "no captures in {:?}", golden_dir());
    folders
        .into_iter()
        .map(|folder| {
            let framed = folder.join("copy_data.jsonl").exists();
            let file = folder.join(if framed {
                "copy_data.jsonl"
            } else {
                "wal.jsonl"
            });
            let text =
                std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("read {file:?}: {e}"));
            Capture {
                folder,
                framed,
                lines: text.lines().map(bytes_of_line).collect(),
            }
        })
        .collect()
}

fn bytes_of_line(line: &str) -> Vec<u8> {
    let (_, hex) = line
        .split_once("\"hex\": \"")
        .unwrap_or_else(|| panic!("no hex in {line}"));
    let (hex, _) = hex
        .split_once('"')
        .unwrap_or_else(|| panic!("hex does not end in {line}"));
    hex.as_bytes()
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("hex digits");
            u8::from_str_radix(pair, 16).expect("hex digits")
        })
        .collect()
}

fn decode(capture: &Capture) -> String {
    let mut out = String::new();
    let mut in_stream = false;
    for line in &capture.lines {
        let data = if capture.framed {
            let frame = ReplicationMessage::parse(line).expect("a frame that a server sent");
            out.push_str(&render::frame(&frame));
            out.push('\n');
            let ReplicationMessage::XLogData(xlog_data) = frame else {
                continue;
            };
            out.push_str("  ");
            xlog_data.data
        } else {
            line
        };
        let message =
            PgOutputMessage::parse(data, in_stream).expect("a message that a server sent");
        match message {
            PgOutputMessage::StreamStart(_) => in_stream = true,
            PgOutputMessage::StreamStop => in_stream = false,
            PgOutputMessage::Begin(_)
            | PgOutputMessage::Commit(_)
            | PgOutputMessage::Origin(_)
            | PgOutputMessage::Relation(_)
            | PgOutputMessage::Type(_)
            | PgOutputMessage::Insert(_)
            | PgOutputMessage::Update(_)
            | PgOutputMessage::Delete(_)
            | PgOutputMessage::Truncate(_)
            | PgOutputMessage::Message(_)
            | PgOutputMessage::StreamCommit(_)
            | PgOutputMessage::StreamAbort(_)
            | PgOutputMessage::BeginPrepare(_)
            | PgOutputMessage::Prepare(_)
            | PgOutputMessage::CommitPrepared(_)
            | PgOutputMessage::RollbackPrepared(_)
            | PgOutputMessage::StreamPrepare(_) => {}
        }
        out.push_str(&render::message(&message));
        out.push('\n');
    }
    out
}

#[test]
fn captures_decode_to_their_text() {
    let bless = std::env::var_os("TRIBUTARY_BLESS").is_some();
    for capture in captures() {
        let file = capture.folder.join("decoded.txt");
        let decoded = decode(&capture);
        if bless {
            std::fs::write(&file, &decoded).unwrap_or_else(|e| panic!("write {file:?}: {e}"));
            continue;
        }
        let expected =
            std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("read {file:?}: {e}"));
        for (number, (got, want)) in decoded.lines().zip(expected.lines()).enumerate() {
            assert_eq!(got, want, "{file:?} line {}", number + 1);
        }
        assert_eq!(
            decoded.lines().count(),
            expected.lines().count(),
            "{file:?}"
        );
    }
}
