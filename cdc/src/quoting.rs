//! Names and texts in SQL and in replication commands, which know no `E''` strings.

/// `value` as an SQL identifier.
pub fn quote_identifier(value: &str) -> String {
    format!("\"{}\"", value.replace('"', "\"\""))
}

/// `value` as an SQL string literal (`standard_conforming_strings` is on).
pub fn quote_literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}
