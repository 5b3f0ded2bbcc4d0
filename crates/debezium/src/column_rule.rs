//! What the column properties of a connector do to a column: truncate, mask, hash, propagate its type, keep it for the
//! key alone.
//!
//! Part of what is published of a table's version, so the names of variants and fields are a format.

use serde::{Deserialize, Serialize};

use crate::{PgType, PgTypeKind};

/// What a property of the connector does to one column. Debezium applies one rule to a column, the first that names it;
/// the key is written as if there were none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum ColumnRule {
    /// `column.exclude.list`, of a column of the key: it is in the key, not in the row.
    KeyOnly,
    /// `column.truncate.to.N.chars`: strings keep so many UTF-16 units. Only made for columns that can be longer.
    Truncate {
        /// UTF-16 units.
        length: u32,
    },
    /// `column.mask.with.N.chars`: every value, NULL as well, becomes so many `*`.
    Mask {
        /// Characters.
        length: u32,
    },
    /// `column.mask.hash.*`: a string becomes the digest of the salt and the string, in hexadecimal.
    Hash {
        /// By which the digest is made.
        algorithm: HashAlgorithm,
        /// What of the string is hashed.
        input: HashInput,
        /// Not part of what is published of a table.
        #[serde(skip)]
        salt: String,
        /// The digest is cut to the column's length.
        length: Option<u32>,
    },
    /// `column.propagate.source.type` and `datatype.propagate.source.type`: parameters of the column's schema.
    SourceType {
        /// The JDBC driver's name of the type, in upper case in events.
        type_name: String,
        /// Length and scale, as the driver reports them.
        size: ColumnSize,
    },
}

/// Digests by their names in Java's `MessageDigest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the documentation")]
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
    /// Characters, digits or bytes, as the type has it; `i32::MAX` where it has no limit.
    pub length: i32,
    /// Digits behind the point, or of a fraction of seconds; None where the driver reports none.
    pub scale: Option<i32>,
}

impl ColumnSize {
    /// Of a column of this type. `snapshot`: as the catalog tells it, which differs from the stream for a column that
    /// is declared `numeric` without a modifier.
    pub fn of(pg_type: &PgType, snapshot: bool) -> Self {
        if let PgTypeKind::Array { element } = &pg_type.kind {
            return Self::of(element, snapshot);
        }
        let bare = pg_type.kind == PgTypeKind::UnconstrainedNumeric && pg_type.name == "numeric";
        if snapshot && bare {
            return Self {
                length: 0,
                scale: None,
            };
        }
        pg_type.row().size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
                i32::MAX,
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
            (pg_type("money", -1, PgTypeKind::Money), i32::MAX, Some(0)),
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
