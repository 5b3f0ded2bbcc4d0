//! Takes a value apart that PostgreSQL printed: `cargo run -p pgtext --example take_apart -- timestamptz "$(psql -Atc 'select
//! now()')"`.

use std::{env, process::ExitCode};

use pgtext::{
    Array, BitString, Day, Hex, Hstore, Interval, Money, Numeric, ParseError, Point, Quoted, Time,
    TimeTz, Timestamp,
};

fn string(quoted: Quoted<'_>) -> String {
    format!("{:?}", String::from_utf8_lossy(&quoted.text()))
}

fn elements(text: &[u8]) -> Result<String, ParseError> {
    let array = Array::parse(text, b',')?;
    let dimensions = array.dimensions();
    let elements = array
        .elements()
        .map(|element| Ok(element?.map_or("NULL".to_owned(), string)));
    let elements = elements.collect::<Result<Vec<_>, ParseError>>()?;
    Ok(format!(
        "dimensions: {dimensions}, elements: {}",
        elements.join(", ")
    ))
}

fn pairs(text: &[u8]) -> Result<String, ParseError> {
    let pairs = Hstore::new(text).map(|pair| {
        let (key, value) = pair?;
        let value = value.map_or("NULL".to_owned(), string);
        Ok(format!("{} has {value}", string(key)))
    });
    Ok(pairs.collect::<Result<Vec<_>, ParseError>>()?.join(", "))
}

fn amount(text: &[u8]) -> Result<String, ParseError> {
    let money = Money::parse(text, None, 2)?;
    let digits = |digits: &mut dyn Iterator<Item = u8>| digits.map(char::from).collect::<String>();
    Ok(format!(
        "negative: {}, whole: {}, fraction: {}",
        money.negative,
        digits(&mut money.integer()),
        digits(&mut money.fraction())
    ))
}

fn number(text: &[u8]) -> Result<String, ParseError> {
    Ok(match Numeric::parse(text)? {
        Numeric::Finite(decimal) => format!(
            "negative: {}, whole: {}, fraction: {}",
            decimal.negative,
            String::from_utf8_lossy(decimal.integer),
            String::from_utf8_lossy(decimal.fraction)
        ),
        special @ (Numeric::NaN | Numeric::NegativeInfinity | Numeric::Infinity) => {
            format!("{special:?}")
        }
    })
}

/// None: a type that is not known here.
fn shown(kind: &str, text: &[u8]) -> Option<Result<String, ParseError>> {
    Some(match kind {
        "date" => Day::parse(text).map(|day| format!("{day:?}")),
        "time" => Time::parse(text).map(|time| format!("{time:?}")),
        "timetz" => TimeTz::parse(text).map(|time| format!("{time:?}")),
        "timestamp" | "timestamptz" => Timestamp::parse(text).map(|at| format!("{at:?}")),
        "interval" => Interval::parse(text).map(|interval| format!("{interval:?}")),
        "numeric" => number(text),
        "money" => amount(text),
        "bytea" => {
            Hex::parse_bytea(text).map(|hex| format!("{:?}", hex.bytes().collect::<Vec<_>>()))
        }
        "bit" | "varbit" => BitString::parse(text)
            .map(|bits| format!("{:?}", bits.little_endian().collect::<Vec<_>>())),
        "point" => Point::parse(text).map(|point| format!("{point:?}")),
        "hstore" => pairs(text),
        array if array.ends_with("[]") => elements(text),
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
