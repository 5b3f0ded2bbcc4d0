use std::borrow::Cow;

use crate::{ContractSettings, DecimalFormat, value::Style};

/// How rows and keys stand in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `{"id":1}`
    Json,
    /// Connect's binary Avro.
    Avro,
    /// Java's `Struct{id=1}`; what is null is left out.
    Text,
    /// `{"id":1}` as `SimpleHeaderConverter` prints a key.
    Header,
}

/// The bytes between the values of an event.
#[derive(Debug)]
pub(super) struct Punctuation {
    pub(super) before_open: &'static [u8],
    pub(super) before_null: &'static [u8],
    pub(super) after_open: &'static [u8],
    pub(super) after_null: &'static [u8],
    /// Behind either row.
    pub(super) row_close: &'static [u8],
    /// Around a key.
    pub(super) key_open: &'static [u8],
    pub(super) key_close: &'static [u8],
}

impl Form {
    pub(super) const fn punctuation(self) -> &'static Punctuation {
        match self {
            Self::Json | Self::Header => &Punctuation {
                before_open: b"\"before\":{",
                before_null: b"\"before\":null",
                after_open: b",\"after\":{",
                after_null: b",\"after\":null",
                row_close: b"}",
                key_open: b"{",
                key_close: b"}",
            },
            Self::Avro => &Punctuation {
                before_open: b"\x02",
                before_null: b"\x00",
                after_open: b"\x02",
                after_null: b"\x00",
                row_close: b"",
                key_open: b"",
                key_close: b"",
            },
            Self::Text => &Punctuation {
                before_open: b"before=Struct{",
                before_null: b"",
                after_open: b"after=Struct{",
                after_null: b"",
                row_close: b"},",
                key_open: b"Struct{",
                key_close: b"}",
            },
        }
    }

    /// The settings that columns are prepared with: what only JSON knows is set to what this form can use.
    pub(super) fn settings(self, settings: &ContractSettings) -> Cow<'_, ContractSettings> {
        match self {
            Self::Json | Self::Header => Cow::Borrowed(settings),
            Self::Avro => Cow::Owned(ContractSettings {
                decimal_format: DecimalFormat::Base64,
                ..settings.clone()
            }),
            Self::Text => Cow::Owned(ContractSettings {
                decimal_format: DecimalFormat::Numeric,
                replace_null_with_default: false,
                ..settings.clone()
            }),
        }
    }

    /// The style of values; `logical_time` says that the column is one of Connect's own logical times.
    pub(super) const fn style(self, logical_time: bool) -> Style {
        match (self, logical_time) {
            (Self::Json, _) => Style::Json,
            (Self::Avro, _) => Style::Avro,
            (Self::Text, false) => Style::Text,
            (Self::Text, true) => Style::TextLogicalTime,
            (Self::Header, false) => Style::Header,
            (Self::Header, true) => Style::HeaderLogicalTime,
        }
    }
}

/// Struct members of the text form all begin with a comma: the first one's goes.
pub(super) fn without_first_comma(out: &mut Vec<u8>, open: usize) {
    if out.get(open) == Some(&b',') {
        out.remove(open);
    }
}

/// What stands before Avro in a record: a zero and the schema's id at the registry (Confluent's wire format).
pub(super) const fn avro_prefix(schema_id: u32) -> [u8; 5] {
    let [a, b, c, d] = schema_id.to_be_bytes();
    [0, a, b, c, d]
}
