//! Decodes a file of pgoutput messages, each behind its length in four bytes, big-endian:
//! `cargo run -p pgoutput --example decode_file -- crates/pgoutput/examples/crud.pgoutput`

use std::{env, error::Error, fs};

use pgoutput::PgOutputMessage;

/// A line for each message of the file.
pub fn run(path: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let file = fs::read(path)?;
    let mut rest = file.as_slice();
    let mut lines = Vec::new();
    // Between StreamStart and StreamStop some messages have an xid more.
    let mut in_stream = false;
    while let Some((length, behind)) = rest.split_first_chunk() {
        let length = u32::from_be_bytes(*length) as usize;
        let (data, next) = behind.split_at_checked(length).ok_or("the file is cut")?;
        let message = PgOutputMessage::parse(data, in_stream)?;
        if let PgOutputMessage::StreamStart(_) = message {
            in_stream = true;
        } else if message == PgOutputMessage::StreamStop {
            in_stream = false;
        }
        lines.push(format!("{message:?}"));
        rest = next;
    }
    Ok(lines)
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1);
    for line in run(path
        .as_deref()
        .unwrap_or("crates/pgoutput/examples/crud.pgoutput"))?
    {
        println!("{line}");
    }
    Ok(())
}
