use serde::{Deserialize, Serialize};

use crate::{Column, ColumnValue, PgType, PgTypeKind, TableSchema, value::truncated};

/// What a property of the connector does to one column. Debezium applies one rule to a column, the first that names it;
/// the key is written as if there were none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum ColumnRule {
    /// `column.exclude.list`, of a column of the key: it is in the key, not in the row.
    KeyOnly,
    /// `column.truncate.to.N.chars`: strings keep so many UTF-16 units. Only made for columns that can be longer.
    Truncate { length: u32 },
    /// `column.mask.with.N.chars`: every value, NULL as well, becomes so many `*`.
    Mask { length: u32 },
    /// `column.mask.hash.*`: a string becomes the digest of the salt and the string, in hexadecimal.
    Hash {
        algorithm: HashAlgorithm,
        input: HashInput,
        /// Not part of what is published of a table.
        #[serde(skip)]
        salt: String,
        /// The digest is cut to the column's length.
        length: Option<u32>,
    },
    /// `column.propagate.source.type` and `datatype.propagate.source.type`: parameters of the column's schema.
    SourceType { type_name: String, size: ColumnSize },
}

/// Digests by their names in Java's `MessageDigest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HashAlgorithm {
    #[serde(rename = "MD5")]
    Md5,
    #[serde(rename = "SHA-1")]
    Sha1,
    #[serde(rename = "SHA-224")]
    Sha224,
    #[serde(rename = "SHA-256")]
    Sha256,
    #[serde(rename = "SHA-384")]
    Sha384,
    #[serde(rename = "SHA-512")]
    Sha512,
    #[serde(rename = "SHA-512/224")]
    Sha512To224,
    #[serde(rename = "SHA-512/256")]
    Sha512To256,
}

impl HashAlgorithm {
    /// By Java's name or one of its aliases, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "MD5" => Self::Md5,
            "SHA" | "SHA1" | "SHA-1" => Self::Sha1,
            "SHA224" | "SHA-224" => Self::Sha224,
            "SHA256" | "SHA-256" => Self::Sha256,
            "SHA384" | "SHA-384" => Self::Sha384,
            "SHA512" | "SHA-512" => Self::Sha512,
            "SHA512/224" | "SHA-512/224" => Self::Sha512To224,
            "SHA512/256" | "SHA-512/256" => Self::Sha512To256,
            _ => return None,
        })
    }
}

/// What of a string is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HashInput {
    /// `column.mask.hash.`: the string as Java serialises the object.
    JavaObject,
    /// `column.mask.hash.v2.`: its UTF-8 text.
    Text,
}

/// Length and scale of a column as PostgreSQL's JDBC driver reports them, which Debezium compares and propagates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ColumnSize {
    pub length: i32,
    pub scale: Option<i32>,
}

/// What the driver reports where a type has no limit.
const UNLIMITED: i32 = i32::MAX;
/// Digits that an unconstrained numeric can print.
const NUMERIC_DISPLAY_LENGTH: i32 = 131_089;
const VARHDRSZ: i32 = 4;
/// A date's text at its longest; timestamps add a blank and the time of day.
const DATE_LENGTH: i32 = 13;
const TIME_LENGTH: i32 = 8;
const ZONE_LENGTH: i32 = 6;

impl ColumnSize {
    /// Of a column of this type. `snapshot`: as the catalog tells it, which differs from the stream for a column that
    /// is declared `numeric` without a modifier.
    pub fn of(pg_type: &PgType, snapshot: bool) -> Self {
        use PgTypeKind as K;
        let plain = |length| Self {
            length,
            scale: Some(0),
        };
        let timed = |length: i32, precision: u8| Self {
            length: length + fraction_length(precision),
            scale: Some(i32::from(precision)),
        };
        match &pg_type.kind {
            K::Array { element } => Self::of(element, snapshot),
            K::Bool | K::InternalChar => plain(1),
            K::Int2 => plain(5),
            K::Int4 | K::Oid => plain(10),
            K::Int8 => plain(19),
            K::Float4 => Self {
                length: 8,
                scale: Some(8),
            },
            K::Float8 => Self {
                length: 17,
                scale: Some(17),
            },
            K::Numeric { precision, scale } => Self {
                length: i32::from(*precision),
                scale: Some(i32::from(*scale)),
            },
            K::UnconstrainedNumeric if snapshot && pg_type.name == "numeric" => Self {
                length: 0,
                scale: None,
            },
            K::UnconstrainedNumeric => plain(NUMERIC_DISPLAY_LENGTH),
            K::Bpchar | K::Varchar if pg_type.modifier >= VARHDRSZ => {
                plain(pg_type.modifier - VARHDRSZ)
            }
            K::Bit { length } => plain(i32::try_from(*length).unwrap_or(UNLIMITED)),
            K::Varbit { length } => {
                plain(length.map_or(UNLIMITED, |it| i32::try_from(it).unwrap_or(UNLIMITED)))
            }
            K::Date => plain(DATE_LENGTH),
            K::Time { precision } => timed(TIME_LENGTH, *precision),
            K::TimeTz { precision } => timed(TIME_LENGTH + ZONE_LENGTH, *precision),
            K::Timestamp { precision } => timed(DATE_LENGTH + 1 + TIME_LENGTH, *precision),
            K::TimestampTz { precision } => {
                timed(DATE_LENGTH + 1 + TIME_LENGTH + ZONE_LENGTH, *precision)
            }
            K::Interval => Self {
                length: 49,
                scale: Some(match pg_type.modifier {
                    -1 => 6,
                    modifier => modifier & 0xffff,
                }),
            },
            _ => plain(UNLIMITED),
        }
    }
}

/// The point and the digits of a second's fraction; one digit is counted as two.
fn fraction_length(precision: u8) -> i32 {
    match precision {
        0 => 0,
        1 => 3,
        digits => i32::from(digits) + 1,
    }
}

impl PgTypeKind {
    /// Whether the JDBC driver takes the type for a string: only such columns are masked and hashed. Types that it does
    /// not know, citext, json and uuid among them, are none.
    pub const fn is_jdbc_string(&self) -> bool {
        matches!(
            self,
            Self::Bpchar
                | Self::Varchar
                | Self::Text
                | Self::Name
                | Self::InternalChar
                | Self::Enum { .. }
        )
    }
}

impl TableSchema {
    /// Whether events show two rows as one: equal, or different only where a column rule hides it.
    pub fn shows_alike(&self, old: &[ColumnValue<'_>], new: &[ColumnValue<'_>]) -> bool {
        old == new
            || (old.len() == new.len()
                && self
                    .columns
                    .iter()
                    .zip(old.iter().zip(new))
                    .all(|(column, (old, new))| old == new || column.shows_alike(old, new)))
    }
}

impl Column {
    fn shows_alike(&self, old: &ColumnValue<'_>, new: &ColumnValue<'_>) -> bool {
        if !self.pg_type.kind.is_jdbc_string() {
            return false;
        }
        match (&self.rule, old, new) {
            (Some(ColumnRule::Mask { .. }), _, _) => true,
            (
                Some(ColumnRule::Truncate { length }),
                ColumnValue::Text(old),
                ColumnValue::Text(new),
            ) => {
                let units = usize::try_from(*length).unwrap_or(usize::MAX);
                let [old, new] = [old, new].map(|text| String::from_utf8_lossy(text));
                truncated(&old, units) == truncated(&new, units)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_hide_changes() {
        use ColumnValue::{Null, Text};
        let column = |kind, rule| Column {
            name: "c".to_owned(),
            pg_type: PgType {
                oid: 0,
                name: String::new(),
                modifier: -1,
                kind,
            },
            optional: true,
            default_expression: None,
            generated: false,
            number: None,
            rule,
        };
        let (mask, cut) = (
            || Some(ColumnRule::Mask { length: 3 }),
            || Some(ColumnRule::Truncate { length: 2 }),
        );
        for (kind, rule, old, new, alike) in [
            (PgTypeKind::Text, None, Text(b"a"), Text(b"b"), false),
            (PgTypeKind::Text, mask(), Text(b"a"), Null, true),
            (PgTypeKind::Int4, mask(), Text(b"1"), Text(b"2"), false),
            (PgTypeKind::Text, cut(), Text(b"abc"), Text(b"abd"), true),
            (PgTypeKind::Text, cut(), Text(b"ac"), Text(b"ab"), false),
            (PgTypeKind::Text, cut(), Text(b"ac"), Null, false),
        ] {
            assert_eq!(column(kind, rule).shows_alike(&old, &new), alike);
        }
    }

    #[test]
    fn sizes_are_the_drivers() {
        let pg_type = |name: &str, modifier, kind| PgType {
            oid: 0,
            name: name.to_owned(),
            modifier,
            kind,
        };
        let numeric = |precision, scale| PgTypeKind::Numeric { precision, scale };
        for (found, length, scale) in [
            (pg_type("int8", -1, PgTypeKind::Int8), 19, Some(0)),
            (pg_type("varchar", 16, PgTypeKind::Varchar), 12, Some(0)),
            (
                pg_type("varchar", -1, PgTypeKind::Varchar),
                UNLIMITED,
                Some(0),
            ),
            (pg_type("numeric", -1, numeric(10, 2)), 10, Some(2)),
            (
                pg_type("timestamp", 3, PgTypeKind::Timestamp { precision: 3 }),
                26,
                Some(3),
            ),
            (
                pg_type("timestamptz", -1, PgTypeKind::TimestampTz { precision: 6 }),
                35,
                Some(6),
            ),
            (
                pg_type("time", 2, PgTypeKind::Time { precision: 2 }),
                11,
                Some(2),
            ),
            (pg_type("interval", -1, PgTypeKind::Interval), 49, Some(6)),
            (pg_type("float4", -1, PgTypeKind::Float4), 8, Some(8)),
            (pg_type("bit", 5, PgTypeKind::Bit { length: 5 }), 5, Some(0)),
            (pg_type("money", -1, PgTypeKind::Money), UNLIMITED, Some(0)),
        ] {
            assert_eq!(
                ColumnSize::of(&found, true),
                ColumnSize { length, scale },
                "{found:?}"
            );
        }
        let bare = pg_type("numeric", -1, PgTypeKind::UnconstrainedNumeric);
        let size = |snapshot| ColumnSize::of(&bare, snapshot);
        assert_eq!((size(true).length, size(true).scale), (0, None));
        assert_eq!((size(false).length, size(false).scale), (131_089, Some(0)));
    }
}
