use super::{
    error::{DecodeError, DecodeReason},
    event::DecodedSource,
    scan::Scanner,
    value::JsonValue,
};

type JsonText<'a> = Option<&'a [u8]>;

#[derive(Default, Clone, Copy)]
/// The members of the `source` block that are used, as they stand there.
pub(super) struct SourceText<'a> {
    ts_ms: JsonText<'a>,
    ts_us: JsonText<'a>,
    ts_ns: JsonText<'a>,
    tx_id: JsonText<'a>,
    lsn: JsonText<'a>,
    snapshot: JsonText<'a>,
    name: JsonText<'a>,
    database: JsonText<'a>,
    schema: JsonText<'a>,
    table: JsonText<'a>,
    sequence: JsonText<'a>,
    /// Where the block begins.
    pub offset: usize,
}

impl<'a> SourceText<'a> {
    /// Reads the block at `at`, and where it ends.
    pub fn read(scanner: Scanner<'a>, at: usize) -> Result<(Self, usize), DecodeError> {
        let mut source = Self {
            offset: at,
            ..Self::default()
        };
        let end = source.read_members(scanner, at)?;
        Ok((source, end))
    }

    /// The values; the table's names stay JSON.
    pub fn decode(self) -> Result<DecodedSource<'a>, DecodeError> {
        let value = |json: JsonText<'a>| {
            JsonValue::new(
                json.and_then(|json| std::str::from_utf8(json).ok())
                    .unwrap_or_default(),
            )
        };
        Ok(DecodedSource {
            commit_micros: value(self.ts_us)
                .integer()
                .or_else(|| Some(value(self.ts_ns).integer()?.div_euclid(1000)))
                .or_else(|| value(self.ts_ms).integer()?.checked_mul(1000))
                .ok_or(DecodeError::new(
                    self.offset,
                    DecodeReason::MissingField("source.ts_ms"),
                ))?,
            tx_id: value(self.tx_id).integer(),
            lsn: value(self.lsn).integer(),
            snapshot: !matches!(self.snapshot, None | Some(b"\"false\"" | b"null")),
            name: value(self.name),
            database: value(self.database),
            schema: value(self.schema),
            table: value(self.table),
            sequence: value(self.sequence),
        })
    }

    fn read_members(&mut self, scanner: Scanner<'a>, at: usize) -> Result<usize, DecodeError> {
        scanner.members(at, |scanner, key, at| {
            let end = scanner.value(at)?;
            let slot = match key {
                b"ts_ms" => &mut self.ts_ms,
                b"ts_us" => &mut self.ts_us,
                b"ts_ns" => &mut self.ts_ns,
                b"txId" => &mut self.tx_id,
                b"lsn" => &mut self.lsn,
                b"snapshot" => &mut self.snapshot,
                b"name" => &mut self.name,
                b"db" => &mut self.database,
                b"schema" => &mut self.schema,
                b"table" => &mut self.table,
                b"sequence" => &mut self.sequence,
                _ => return Ok(end),
            };
            *slot = scanner.text.get(at..end);
            Ok(end)
        })
    }
}
