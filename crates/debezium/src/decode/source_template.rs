use super::{
    error::{Boxed, DecodeError, DecodeReason},
    event::{DecodedSource, Span},
    row_template::RowTemplate,
    scan::Scanner,
    value::JsonValue,
};

/// The members of the `source` block in the order of Debezium 2.7; other orders are read as well.
const MEMBERS: [&str; 14] = [
    "version",
    "connector",
    "name",
    "ts_ms",
    "snapshot",
    "db",
    "sequence",
    "ts_us",
    "ts_ns",
    "schema",
    "table",
    "txId",
    "lsn",
    "xmin",
];

/// Reads `source` blocks.
#[derive(Debug, Clone)]
pub(super) struct SourceTemplate {
    template: RowTemplate,
    members: Vec<Span>,
}

impl SourceTemplate {
    pub fn new() -> Self {
        Self {
            template: RowTemplate::new(MEMBERS.map(str::to_owned).into(), |name| {
                format!("\"{name}\"")
            }),
            members: Vec::new(),
        }
    }

    /// Where the block at `at` ends.
    pub fn read(&mut self, scanner: Scanner<'_>, at: usize) -> Result<usize, Boxed> {
        match self.template.in_order(scanner, at, &mut self.members) {
            Some(end) => Ok(end),
            None => self.template.by_name(scanner, at, &mut self.members),
        }
    }

    /// What was read, which began at `offset` of `text`; the names stay JSON.
    pub fn decode<'a>(&self, text: &'a str, offset: usize) -> Result<DecodedSource<'a>, Boxed> {
        let mut members = [JsonValue::new(""); MEMBERS.len()];
        for (member, span) in members.iter_mut().zip(&self.members) {
            *member = JsonValue::new(span.of(text));
        }
        let [
            _,
            _,
            name,
            ts_ms,
            snapshot,
            database,
            sequence,
            ts_us,
            ts_ns,
            schema,
            table,
            tx_id,
            lsn,
            _,
        ] = members;
        Ok(DecodedSource {
            commit_micros: ts_us
                .integer()
                .or_else(|| Some(ts_ns.integer()?.div_euclid(1000)))
                .or_else(|| ts_ms.integer()?.checked_mul(1000))
                .ok_or_else(|| {
                    DecodeError::new(offset, DecodeReason::MissingField("source.ts_ms"))
                })?,
            tx_id: tx_id.integer(),
            lsn: lsn.integer(),
            snapshot: !snapshot.is_null() && snapshot.as_json() != "\"false\"",
            name,
            database,
            schema,
            table,
            sequence,
        })
    }
}
