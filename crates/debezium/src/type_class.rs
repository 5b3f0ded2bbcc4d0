use crate::{PgType, value::Figure};

/// What the values of a type are: types of one class are written in events, read back and kept in the lake alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "PostgreSQL's names of the types; its manual is their documentation"
)]
pub enum TypeClass<'t> {
    Boolean,
    Int2,
    Int4,
    /// Eight bytes, or four without a sign.
    Int8,
    Float4,
    Float8,
    /// Numbers with so many digits, so many of them behind the point.
    Numeric {
        precision: u16,
        scale: i16,
    },
    /// Numbers with any number of digits.
    UnconstrainedNumeric,
    /// An amount with its currency; the server's has so many digits behind the point, where that is known.
    Money {
        printed: Option<u8>,
    },
    /// Text as PostgreSQL prints it. The semantic name of its schema, if it has one.
    Text {
        schema: Option<&'static str>,
    },
    Uuid,
    /// One of these texts.
    Enum {
        labels: &'t [String],
    },
    Bytes,
    /// Bits, of which there may be so many.
    Bits {
        length: Option<u32>,
    },
    Date,
    /// Digits of the second's fraction, here and below.
    Time {
        precision: u8,
    },
    TimeTz,
    Timestamp {
        precision: u8,
    },
    TimestampTz {
        precision: u8,
    },
    Interval,
    Point,
    /// Types of PostGIS, by the name that Debezium's schema has.
    PostGis {
        schema: &'static str,
    },
    /// Text that has a schema since 3.x, and is of no known type before.
    Tsvector,
    /// Figures that have a schema since 3.x, and are of no known type before.
    Figure(Figure),
    Hstore,
    /// One or more dimensions.
    Array {
        element: &'t PgType,
    },
    /// A type without a rule.
    Unknown,
}

/// What becomes of arrays of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elements {
    /// Events have an array of them, with NULLs among them.
    Optional,
    /// Events have an array of them, and none may be NULL.
    Required,
    /// The same before 3.x; since then the events' array is always null.
    RequiredBefore3,
    /// Events have a column of the elements' own schema, which is always null.
    NeverSent,
    /// Events have no such column.
    LeftOut,
}

/// What stands for an unchanged TOASTed array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsent {
    /// Nothing can: the column is null.
    Null,
    /// The placeholder's text.
    Text,
    /// The placeholder's bytes.
    Bytes,
    /// The placeholder's bytes, each one a number.
    Numbers,
    /// The UUID that is made from the placeholder's bytes.
    Uuid,
}
