//! Debezium's envelope, from the bytes of a record to the rows in it.
//!
//! What has not the form of an envelope is an error that says so.

use std::sync::Arc;

use super::{
    error::{Boxed, DecodeError, DecodeReason},
    event::{DecodedEvent, DecodedOldRow, DecodedRow, DecodedSource, EventHeaders, Span},
    placeholder::{is_fallback, placeholders},
    representation::Representation,
    row_template::RowTemplate,
    scan::Scanner,
    source_template::SourceTemplate,
};
use crate::{
    ChangePosition, ColumnRule, ContractSettings, Operation, ReplicaIdentity, TableSchema,
    json::write_string, name::adjusted_field_name, wire::header,
};

/// Reads the JSON change events of one version of one table.
///
/// Everything that can be known before the first event is prepared: the text of the keys in the order of the columns,
/// so that a row is read by comparing and skipping. Text in another order, with white space or escaped keys is read by
/// looking names up. The embedded schema of an event is skipped by comparing it with that of the event before.
#[derive(Debug, Clone)]
pub struct EnvelopeDecoder {
    table: Arc<TableSchema>,
    template: RowTemplate,
    source: SourceTemplate,
    representations: Vec<Option<Representation>>,
    /// JSON text of `db`, `schema` and `table`.
    names: [Box<str>; 3],
    /// What a foreign Debezium leaves unsaid and has to be guessed from; None for our own events.
    foreign: Option<Vec<ForeignColumn>>,
    /// `{"schema":...,"payload":` of the event before, or empty.
    schema_prefix: Vec<u8>,
    before: Vec<Span>,
    after: Vec<Span>,
    unavailable: Vec<usize>,
}

#[derive(Debug, Clone)]
struct ForeignColumn {
    placeholders: Vec<Box<str>>,
    /// The JSON text of the column's default.
    default: Option<Box<str>>,
}

/// What was found in the envelope, before it is judged.
#[derive(Default)]
struct Members<'a> {
    op: Option<&'a [u8]>,
    before: Option<()>,
    after: Option<()>,
    /// Where it begins.
    source: Option<usize>,
}

impl EnvelopeDecoder {
    /// For events that were written under these settings from this table.
    pub fn new(table: Arc<TableSchema>, settings: &ContractSettings) -> Self {
        let representations = table
            .columns
            .iter()
            .map(|column| {
                let in_rows = column.rule != Some(ColumnRule::KeyOnly);
                in_rows.then(|| Representation::of(&column.pg_type, settings))?
            })
            .collect();
        let adjustment = settings.field_name_adjustment;
        let field_names = table
            .columns
            .iter()
            .map(|column| adjusted_field_name(&column.name, adjustment).into_owned())
            .collect();
        Self::with_representations(table, field_names, representations)
    }

    pub(super) fn with_representations(
        table: Arc<TableSchema>,
        field_names: Vec<String>,
        representations: Vec<Option<Representation>>,
    ) -> Self {
        let json = |name: &str| {
            let mut out = Vec::new();
            write_string(&mut out, name.as_bytes());
            String::from_utf8_lossy(&out).into_owned()
        };
        let id = &table.table;
        Self {
            template: RowTemplate::new(field_names, json),
            source: SourceTemplate::new(),
            names: [&id.database, &id.schema, &id.table].map(|name| json(name).into_boxed_str()),
            foreign: None,
            schema_prefix: Vec::new(),
            before: Vec::new(),
            after: Vec::new(),
            unavailable: Vec::new(),
            representations,
            table,
        }
    }

    /// The same for events of another Debezium: values equal to its placeholder are taken as unavailable, and old rows
    /// that hold nothing beside the key as key-only. `defaults` are the JSON texts of the columns' defaults.
    pub(super) fn foreign(mut self, placeholder: &str, defaults: Vec<Option<Box<str>>>) -> Self {
        let columns = self.table.columns.iter().zip(&self.representations);
        self.foreign = Some(
            columns
                .zip(defaults)
                .map(|((column, representation), default)| ForeignColumn {
                    placeholders: representation
                        .as_ref()
                        .map_or_else(Vec::new, |representation| {
                            placeholders(&column.pg_type, representation, placeholder)
                        }),
                    default,
                })
                .collect(),
        );
        self
    }

    /// The table whose events this reads.
    pub fn table(&self) -> &Arc<TableSchema> {
        &self.table
    }

    /// Reads one event. `offset` is the record's offset in its partition. None: a record that changes no row, such as a
    /// logical message.
    ///
    /// # Errors
    /// The value is not JSON, not an envelope, or of another table; a header cannot be read.
    pub fn decode<'a>(
        &'a mut self,
        value: &'a [u8],
        headers: &EventHeaders<'_>,
        offset: i64,
    ) -> Result<Option<DecodedEvent<'a>>, DecodeError> {
        let text = std::str::from_utf8(value)
            .map_err(|e| DecodeError::new(e.valid_up_to(), DecodeReason::NotUtf8))?;
        if u32::try_from(value.len()).is_err() {
            return Err(DecodeError::new(0, DecodeReason::TooLarge).into());
        }
        let mut members = Members::default();
        self.walk(Scanner::new(value), &mut members)?;
        let Some(op) = members.op else {
            return Err(DecodeError::new(0, DecodeReason::MissingField("op")).into());
        };
        let op = match op {
            b"\"m\"" => return Ok(None),
            [b'"', code, b'"'] => Operation::from_code(*code),
            _ => None,
        }
        .ok_or_else(|| {
            let found = String::from_utf8_lossy(op).into_owned();
            DecodeError::new(0, DecodeReason::UnknownOperation(found))
        })?;
        let source = self.decoded_source(text, members.source)?;
        let missing = |field| Err(DecodeError::new(0, DecodeReason::MissingField(field)).into());
        match op {
            Operation::Truncate => (members.before, members.after) = (None, None),
            Operation::Delete if members.before.is_none() => return missing("before"),
            Operation::Delete => members.after = None,
            _ if members.after.is_none() => return missing("after"),
            Operation::Read | Operation::Create | Operation::Update => {}
        }
        let position = match headers.position {
            Some(position) => std::str::from_utf8(position)
                .ok()
                .and_then(|position| position.parse().ok())
                .ok_or_else(|| DecodeError::new(0, DecodeReason::Header(header::POSITION)))?,
            None => {
                let lsn = source.lsn.or_else(|| source.sequence_lsn()).unwrap_or(0);
                ChangePosition::new(
                    u64::try_from(lsn).unwrap_or(0),
                    u64::try_from(offset).unwrap_or(0),
                )
            }
        };
        self.unavailable.clear();
        match (headers.unavailable, &self.foreign) {
            (Some(header), _) => self.read_unavailable(header)?,
            (None, Some(columns)) if headers.position.is_none() && members.after.is_some() => {
                let row = DecodedRow {
                    text,
                    columns: &self.after,
                };
                self.unavailable
                    .extend(columns.iter().enumerate().filter_map(|(i, column)| {
                        let json = row.column(i).as_json();
                        let shown = column.placeholders.iter().any(|text| text.as_ref() == json);
                        shown.then_some(i)
                    }));
            }
            _ => {}
        }
        let row = |columns| DecodedRow { text, columns };
        Ok(Some(DecodedEvent {
            op,
            before: match members.before {
                None => DecodedOldRow::None,
                Some(()) if self.is_full(row(&self.before)) => {
                    DecodedOldRow::Full(row(&self.before))
                }
                Some(()) => DecodedOldRow::Key(row(&self.before)),
            },
            after: members.after.map(|()| row(&self.after)),
            source,
            position,
            unavailable: &self.unavailable,
            representations: &self.representations,
        }))
    }

    fn walk<'a>(&mut self, scanner: Scanner<'a>, members: &mut Members<'a>) -> Result<(), Boxed> {
        let prefix = self.schema_prefix.len();
        let end = if prefix > 0 && scanner.starts_with(0, &self.schema_prefix) {
            let end = self.envelope(scanner, prefix, members)?;
            scanner.expect(end, b'}', "`}` after the payload")?
        } else {
            let mut schema_end = None;
            let end = scanner.members(scanner.white_space(0), |scanner, key, at| match key {
                b"schema" => {
                    let end = scanner.value(at)?;
                    schema_end = Some(end);
                    Ok(end)
                }
                b"payload" => {
                    // Learnt only where the payload follows the schema at once, as Connect writes it.
                    if schema_end.is_some_and(|end| at == end + b",\"payload\":".len())
                        && let Some(prefix) = scanner.text.get(..at)
                    {
                        self.schema_prefix.clear();
                        self.schema_prefix.extend_from_slice(prefix);
                    }
                    self.envelope(scanner, at, members)
                }
                _ => self.member(scanner, key, at, members),
            });
            match end {
                Ok(end) => end,
                Err(error) => {
                    self.schema_prefix.clear();
                    return Err(error);
                }
            }
        };
        let end = scanner.white_space(end);
        if end == scanner.text.len() {
            Ok(())
        } else {
            Err(DecodeError::new(end, DecodeReason::TrailingText))
        }
    }

    fn envelope<'a>(
        &mut self,
        scanner: Scanner<'a>,
        at: usize,
        members: &mut Members<'a>,
    ) -> Result<usize, Boxed> {
        scanner.members(at, |scanner, key, at| {
            self.member(scanner, key, at, members)
        })
    }

    #[inline]
    fn member<'a>(
        &mut self,
        scanner: Scanner<'a>,
        key: &[u8],
        at: usize,
        members: &mut Members<'a>,
    ) -> Result<usize, Boxed> {
        let (row, found) = match key {
            b"before" => (&mut self.before, &mut members.before),
            b"after" => (&mut self.after, &mut members.after),
            b"source" => {
                members.source = Some(at);
                return self.source.read(scanner, at);
            }
            b"op" => {
                let end = scanner.value(at)?;
                members.op = scanner.text.get(at..end);
                return Ok(end);
            }
            _ => return scanner.value(at),
        };
        if scanner.byte(at) == Some(b'n') {
            *found = None;
            return scanner.value(at);
        }
        *found = Some(());
        match self.template.in_order(scanner, at, row) {
            Some(end) => Ok(end),
            None => self.template.by_name(scanner, at, row),
        }
    }

    fn decoded_source<'a>(
        &self,
        text: &'a str,
        offset: Option<usize>,
    ) -> Result<DecodedSource<'a>, Boxed> {
        let Some(offset) = offset else {
            return Err(DecodeError::new(0, DecodeReason::MissingField("source")));
        };
        let decoded = self.source.decode(text, offset)?;
        let found = [decoded.database, decoded.schema, decoded.table];
        let same = found
            .iter()
            .zip(&self.names)
            .all(|(found, name)| found.as_json() == name.as_ref());
        if same || decoded.table_id() == self.table.table {
            return Ok(decoded);
        }
        let other = decoded.table_id();
        Err(DecodeError::new(
            offset,
            DecodeReason::OtherTable(format!("{}.{other}", other.database)),
        ))
    }

    fn read_unavailable(&mut self, names: &[u8]) -> Result<(), Boxed> {
        // In the order of the columns, so that a comma within a name is no trouble.
        let mut rest = names;
        for (i, column) in self.table.columns.iter().enumerate() {
            rest = match rest.strip_prefix(column.name.as_bytes()) {
                Some(b"") => b"",
                Some([b',', after @ ..]) if !after.is_empty() => after,
                _ => continue,
            };
            self.unavailable.push(i);
            if rest.is_empty() {
                return Ok(());
            }
        }
        Err(DecodeError::new(
            names.len() - rest.len(),
            DecodeReason::HeaderColumn {
                header: header::UNAVAILABLE,
                columns: String::from_utf8_lossy(rest).into_owned(),
            },
        ))
    }

    fn is_full(&self, row: DecodedRow<'_>) -> bool {
        let Some(columns) = &self.foreign else {
            return self.table.replica_identity == ReplicaIdentity::Full;
        };
        // A foreign event does not say its replica identity. A full row that shows nothing but nulls and zeros beside
        // its key is taken for a key, which is the same for every reading of the same event.
        columns.iter().enumerate().any(|(i, column)| {
            !self.table.key.contains(&i) && !is_fallback(row.column(i), column.default.as_deref())
        })
    }
}
