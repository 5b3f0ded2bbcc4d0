//! Takes a value apart that PostgreSQL printed: `cargo run -p pgtext --example take_apart -- timestamptz "$(psql -Atc 'select
//! now()')"`.

use std::{env, process::ExitCode};

use pgtext::{Day, ParseError, Time, TimeTz, Timestamp};

fn shown(kind: &str, text: &[u8]) -> Option<Result<String, ParseError>> {
    Some(match kind {
        "date" => Day::parse(text).map(|day| format!("{day:?}")),
        "time" => Time::parse(text).map(|time| format!("{time:?}")),
        "timetz" => TimeTz::parse(text).map(|time| format!("{time:?}")),
        "timestamp" | "timestamptz" => Timestamp::parse(text).map(|at| format!("{at:?}")),
        _ => return None,
    })
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (kind, text) = match arguments.as_slice() {
        [] => ("timestamptz", "0044-03-15 12:00:00.5+00 BC"),
        [kind, text] => (kind.as_str(), text.as_str()),
        _ => {
            eprintln!("usage: take_apart TYPE TEXT");
            return ExitCode::from(2);
        }
    };
    match shown(kind, text.as_bytes()) {
        Some(Ok(parts)) => {
            println!("{kind} {text}\n  {parts}");
            ExitCode::SUCCESS
        }
        Some(Err(refused)) => {
            eprintln!("`{text}` is no {kind}: {refused}");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("`{kind}` is not a type that this example reads");
            ExitCode::from(2)
        }
    }
}
