/// A record whose value is no change event. It belongs into the dead-letter table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("decode change event at byte {offset}: {reason}")]
pub struct DecodeError {
    /// Where in the record's value (in the header, for the header reasons) the trouble was met, from 0.
    pub offset: usize,
    /// What is wrong with the record.
    pub reason: DecodeReason,
}

/// Within this module: the results of every step fit into registers.
pub(super) type Boxed = Box<DecodeError>;

impl From<Boxed> for DecodeError {
    fn from(error: Boxed) -> Self {
        *error
    }
}

/// Why a record could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each says what it is")]
pub enum DecodeReason {
    #[error("not UTF-8")]
    NotUtf8,
    #[error("the text ends too early")]
    UnexpectedEnd,
    #[error("expected {0}")]
    Expected(&'static str),
    #[error("a control character in a string")]
    ControlCharacter,
    #[error("not a JSON escape")]
    InvalidEscape,
    #[error("half of a surrogate pair")]
    LoneSurrogate,
    #[error("not a JSON number")]
    InvalidNumber,
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    #[error("text after the end of the event")]
    TrailingText,
    #[error("larger than 4 GiB")]
    TooLarge,
    #[error("the event has no `{0}`")]
    MissingField(&'static str),
    #[error(
        "no change event: an envelope has `op` and `source` (of a row that ExtractNewRecordState took out of its envelope nothing tells what was done to it: write the topic without that transform)"
    )]
    NoEnvelope,
    #[error(
        "an event of the connector `{0}`, whose `source` does not name database, schema and table: only PostgreSQL's connector is read"
    )]
    OtherConnector(String),
    #[error("unknown operation `{0}`")]
    UnknownOperation(String),
    #[error("the event is of table `{0}`, for which this decoder was not made")]
    OtherTable(String),
    #[error("header `{0}` cannot be read")]
    Header(&'static str),
    #[error("header `{header}` does not name columns of the table: `{columns}`")]
    HeaderColumn {
        header: &'static str,
        columns: String,
    },
    #[error("the embedded schema is not one of a change event: {0}")]
    Schema(String),
}

/// Objects and arrays within each other. Debezium's events need five.
pub(super) const MAX_DEPTH: usize = 64;

impl DecodeError {
    #[cold]
    pub(super) fn new(offset: usize, reason: DecodeReason) -> Boxed {
        Box::new(Self { offset, reason })
    }

    pub(super) fn expected(offset: usize, what: &'static str) -> Boxed {
        Self::new(offset, DecodeReason::Expected(what))
    }
}
