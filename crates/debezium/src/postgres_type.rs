use serde::{Deserialize, Serialize};

/// A column's PostgreSQL type, domains already resolved to their base type.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PgType {
    /// `pg_type.oid` of the declared type (a domain keeps its own oid here).
    pub oid: u32,
    /// `pg_type.typname` of the declared type.
    pub name: String,
    /// `pg_attribute.atttypmod`, or the domain's; -1 where there is none. Of `money`, which has none, how many digits
    /// behind the point the server's currency has; -1 where that is not known.
    pub modifier: i32,
    /// What the values are.
    pub kind: PgTypeKind,
}

/// The families of types that the contract tells apart. Lengths and precisions come from the type modifier.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "PostgreSQL's names of the types; its manual is their documentation"
)]
pub enum PgTypeKind {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    /// `numeric(precision, scale)`; the scale may be negative or above the precision since PostgreSQL 15.
    Numeric {
        precision: u16,
        scale: i16,
    },
    /// `numeric` without a modifier.
    UnconstrainedNumeric,
    Money,
    /// `char(n)`: the text keeps its padding.
    Bpchar,
    Varchar,
    Text,
    Name,
    Citext,
    /// `"char"`, one byte.
    InternalChar,
    Bytea,
    Uuid,
    Json,
    Jsonb,
    Xml,
    Inet,
    Cidr,
    Macaddr,
    Macaddr8,
    /// `bit(length)`.
    Bit {
        length: u32,
    },
    /// `varbit(length)`; None is unbounded.
    Varbit {
        length: Option<u32>,
    },
    Date,
    /// Digits of the second's fraction, 0 to 6.
    Time {
        precision: u8,
    },
    TimeTz {
        precision: u8,
    },
    Timestamp {
        precision: u8,
    },
    TimestampTz {
        precision: u8,
    },
    Interval,
    Range {
        range: RangeKind,
    },
    Point,
    Tsvector,
    Line,
    Circle,
    Box,
    Lseg,
    Path,
    Polygon,
    /// Labels in their sort order.
    Enum {
        labels: Vec<String>,
    },
    Hstore,
    Ltree,
    Isbn,
    /// PostGIS.
    Geometry,
    Geography,
    /// One or more dimensions: PostgreSQL does not tell them apart in the type.
    Array {
        element: Box<PgType>,
    },
    /// A domain used as an array element, a composite, or any other type that the contract has no rule for.
    Unknown,
}

/// The six range types that Debezium maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "PostgreSQL's names of the types; its manual is their documentation"
)]
pub enum RangeKind {
    Int4,
    Int8,
    Num,
    Ts,
    TsTz,
    Date,
}

impl PgTypeKind {
    /// The scale that events give a `numeric` of this scale. The JDBC driver reads the scale's eleven bits of the type
    /// modifier without their sign, so that -2 stands as 2046: the numbers are the same, with as many zeros.
    pub(crate) fn event_scale(scale: i16) -> i32 {
        i32::from(scale) & 0x7ff
    }
}
