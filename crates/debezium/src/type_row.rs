//! The table of PostgreSQL's types: one row a kind, with everything that is a fact of the type alone.
//!
//! What must stay true: code that depends on a type reads the type's row, or matches on its [`TypeClass`] without a wildcard.
//! So a type whose values are like those of another one costs its kind, its row and its place in [`RECOGNISED`]; one with
//! values of a new sort also costs a class, and the compiler names what has to be written for it. The test
//! `lakewriter/src/columns/every_kind.rs` walks all kinds through everything that becomes of them.

use crate::{
    ColumnSize, Elements, PgType, PgTypeKind, RangeKind, TypeClass, type_class::Unsent,
    value::Figure,
};

/// What is known of a type, whatever the settings of the connector are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeRow<'t> {
    /// `pg_type.typname`. None: types of any name are of this kind.
    pub name: Option<&'static str>,
    /// `pg_type.oid`, where it is fixed. None of an extension's type, which goes by its name.
    pub oid: Option<u32>,
    /// What the values are.
    pub class: TypeClass<'t>,
    /// What becomes of arrays of the type.
    pub elements: Elements,
    /// `pg_type.typdelim`: what stands between the elements of an array.
    pub(crate) delimiter: u8,
    /// What stands for an array of the type whose TOASTed value PostgreSQL did not send.
    pub(crate) unsent: Unsent,
    /// What a default that is a function call shows in the schema, as PostgreSQL would print it. None: such columns show
    /// no default, not even that of a literal.
    pub zero: Option<&'static str>,
    /// Length and scale as the JDBC driver reports them.
    pub size: ColumnSize,
    /// Whether the JDBC driver takes the type for a string: only such columns are masked and hashed. Types that it does
    /// not know, citext, json and uuid among them, are none.
    pub is_jdbc_string: bool,
}

const fn size(length: i32) -> ColumnSize {
    ColumnSize {
        length,
        scale: Some(0),
    }
}

const fn floating(digits: i32) -> ColumnSize {
    ColumnSize {
        length: digits,
        scale: Some(digits),
    }
}

/// What the driver reports where a type has no limit.
const UNLIMITED: ColumnSize = size(i32::MAX);

/// Digits that an unconstrained numeric can print.
const NUMERIC_DISPLAY_LENGTH: i32 = 131_089;
/// A date's text at its longest; timestamps add a blank and the time of day.
const DATE_LENGTH: i32 = 13;
const TIME_LENGTH: i32 = 8;
const ZONE_LENGTH: i32 = 6;

/// The length of a varlena header, which PostgreSQL adds to the modifier of numeric, varchar and bpchar.
const VARHDRSZ: i32 = 4;

/// `char(n)` and `varchar(n)`.
const fn characters(modifier: i32) -> ColumnSize {
    if modifier >= VARHDRSZ {
        size(modifier - VARHDRSZ)
    } else {
        UNLIMITED
    }
}

fn bits(length: Option<u32>) -> ColumnSize {
    length.map_or(UNLIMITED, |length| {
        size(i32::try_from(length).unwrap_or(i32::MAX))
    })
}

/// The point and the digits of a second's fraction are added; one digit is counted as two.
fn timed(length: i32, precision: u8) -> ColumnSize {
    let fraction = match precision {
        0 => 0,
        1 => 3,
        digits => i32::from(digits) + 1,
    };
    ColumnSize {
        length: length + fraction,
        scale: Some(i32::from(precision)),
    }
}

const fn interval(modifier: i32) -> ColumnSize {
    let scale = if modifier == -1 { 6 } else { modifier & 0xffff };
    ColumnSize {
        length: 49,
        scale: Some(scale),
    }
}

const fn digits(precision: u16, scale: i16) -> ColumnSize {
    ColumnSize {
        length: precision as i32,
        scale: Some(scale as i32),
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "a row of a table is read by its columns, and none may be left out"
)]
const fn row<'t>(
    name: Option<&'static str>,
    oid: Option<u32>,
    class: TypeClass<'t>,
    elements: Elements,
    delimiter: u8,
    unsent: Unsent,
    zero: Option<&'static str>,
    size: ColumnSize,
    is_jdbc_string: bool,
) -> TypeRow<'t> {
    TypeRow {
        name,
        oid,
        class,
        elements,
        delimiter,
        unsent,
        zero,
        size,
        is_jdbc_string,
    }
}

const fn range(name: &'static str, oid: u32) -> TypeRow<'static> {
    let text = TypeClass::Text { schema: None };
    let (elements, unsent) = (Elements::Optional, Unsent::Null);
    row(
        Some(name),
        Some(oid),
        text,
        elements,
        b',',
        unsent,
        None,
        UNLIMITED,
        false,
    )
}

impl PgType {
    /// What is known of the type.
    #[rustfmt::skip]
    pub fn row(&self) -> TypeRow<'_> {
        use Elements::{LeftOut, NeverSent, Optional, Required, RequiredBefore3};
        use PgTypeKind as K;
        use TypeClass as C;
        use Unsent::{Bytes, Null, Numbers, Text, Uuid};
        const TEXT: C<'static> = C::Text { schema: None };
        let named = |schema| C::Text { schema: Some(schema) };
        let modifier = self.modifier;
        let decimal = |precision, scale| C::Numeric { precision, scale };
        match &self.kind {
            // kind                      name                oid         class                           arrays           between and unsent  zero                       size and string of the JDBC driver
            K::Bool                => row(Some("bool"),       Some(16),   C::Boolean,                     Optional,        b',', Null,    Some("f"),                    size(1),                  false),
            K::Int2                => row(Some("int2"),       Some(21),   C::Int2,                        Optional,        b',', Null,    Some("0"),                    size(5),                  false),
            K::Int4                => row(Some("int4"),       Some(23),   C::Int4,                        Optional,        b',', Numbers, Some("0"),                    size(10),                 false),
            K::Int8                => row(Some("int8"),       Some(20),   C::Int8,                        Optional,        b',', Numbers, Some("0"),                    size(19),                 false),
            K::Oid                 => row(Some("oid"),        Some(26),   C::Int8,                        Optional,        b',', Null,    None,                         size(10),                 false),
            K::Float4              => row(Some("float4"),     Some(700),  C::Float4,                      Optional,        b',', Null,    Some("0"),                    floating(8),              false),
            K::Float8              => row(Some("float8"),     Some(701),  C::Float8,                      Optional,        b',', Null,    Some("0"),                    floating(17),             false),
            K::Numeric { precision, scale } => row(Some("numeric"),    Some(1700), decimal(*precision, *scale),    Optional,        b',', Null,    Some("0"),                    digits(*precision, *scale), false),
            K::UnconstrainedNumeric => row(Some("numeric"),    Some(1700), C::UnconstrainedNumeric,        Optional,        b',', Null,    Some("0"),                    size(NUMERIC_DISPLAY_LENGTH), false),
            K::Money               => row(Some("money"),      Some(790),  C::Money { printed: u8::try_from(modifier).ok() }, LeftOut,         b',', Null,    None,                         UNLIMITED,                false),
            K::Bpchar              => row(Some("bpchar"),     Some(1042), TEXT,                           Optional,        b',', Null,    Some(""),                     characters(modifier),     true),
            K::Varchar             => row(Some("varchar"),    Some(1043), TEXT,                           Optional,        b',', Text,    Some(""),                     characters(modifier),     true),
            K::Text                => row(Some("text"),       Some(25),   TEXT,                           Optional,        b',', Text,    Some(""),                     UNLIMITED,                true),
            K::Name                => row(Some("name"),       Some(19),   TEXT,                           LeftOut,         b',', Null,    None,                         UNLIMITED,                true),
            K::Citext              => row(Some("citext"),     None,       TEXT,                           Optional,        b',', Null,    None,                         UNLIMITED,                false),
            K::InternalChar        => row(Some("char"),       Some(18),   TEXT,                           Optional,        b',', Null,    None,                         size(1),                  true),
            K::Bytea               => row(Some("bytea"),      Some(17),   C::Bytes,                       Optional,        b',', Bytes,   None,                         UNLIMITED,                false),
            K::Uuid                => row(Some("uuid"),       Some(2950), C::Uuid,                        Optional,        b',', Uuid,    Some("00000000-0000-0000-0000-000000000000"), UNLIMITED,                false),
            K::Json                => row(Some("json"),       Some(114),  named("io.debezium.data.Json"), Optional,        b',', Text,    Some("{}"),                   UNLIMITED,                false),
            K::Jsonb               => row(Some("jsonb"),      Some(3802), named("io.debezium.data.Json"), Optional,        b',', Text,    Some("{}"),                   UNLIMITED,                false),
            K::Xml                 => row(Some("xml"),        Some(142),  named("io.debezium.data.Xml"),  LeftOut,         b',', Null,    Some(""),                     UNLIMITED,                false),
            K::Inet                => row(Some("inet"),       Some(869),  TEXT,                           Optional,        b',', Null,    None,                         UNLIMITED,                false),
            K::Cidr                => row(Some("cidr"),       Some(650),  TEXT,                           Optional,        b',', Null,    None,                         UNLIMITED,                false),
            K::Macaddr             => row(Some("macaddr"),    Some(829),  TEXT,                           Optional,        b',', Null,    None,                         UNLIMITED,                false),
            K::Macaddr8            => row(Some("macaddr8"),   Some(774),  TEXT,                           Optional,        b',', Null,    None,                         UNLIMITED,                false),
            K::Bit { length }      => row(Some("bit"),        Some(1560), C::Bits { length: Some(*length) }, NeverSent,       b',', Null,    Some("0"),                    bits(Some(*length)),      false),
            K::Varbit { length }   => row(Some("varbit"),     Some(1562), C::Bits { length: *length },    LeftOut,         b',', Null,    Some("0"),                    bits(*length),            false),
            K::Date                => row(Some("date"),       Some(1082), C::Date,                        Optional,        b',', Numbers, Some("1970-01-01"),           size(DATE_LENGTH),        false),
            K::Time { precision }  => row(Some("time"),       Some(1083), C::Time { precision: *precision }, Optional,        b',', Null,    Some("00:00:00"),             timed(TIME_LENGTH, *precision), false),
            K::TimeTz { precision } => row(Some("timetz"),     Some(1266), C::TimeTz,                      Optional,        b',', Null,    None,                         timed(TIME_LENGTH + ZONE_LENGTH, *precision), false),
            K::Timestamp { precision } => row(Some("timestamp"),  Some(1114), C::Timestamp { precision: *precision }, Optional,        b',', Null,    Some("1970-01-01 00:00:00"),  timed(DATE_LENGTH + 1 + TIME_LENGTH, *precision), false),
            K::TimestampTz { precision } => row(Some("timestamptz"), Some(1184), C::TimestampTz { precision: *precision }, Optional,        b',', Null,    Some("1970-01-01 00:00:00+00"), timed(DATE_LENGTH + 1 + TIME_LENGTH + ZONE_LENGTH, *precision), false),
            K::Interval            => row(Some("interval"),   Some(1186), C::Interval,                    LeftOut,         b',', Null,    Some("00:00:00"),             interval(modifier),       false),
            K::Range { range: RangeKind::Int4 } => range("int4range", 3904),
            K::Range { range: RangeKind::Int8 } => range("int8range", 3926),
            K::Range { range: RangeKind::Num } => range("numrange", 3906),
            K::Range { range: RangeKind::Ts } => range("tsrange", 3908),
            K::Range { range: RangeKind::TsTz } => range("tstzrange", 3910),
            K::Range { range: RangeKind::Date } => range("daterange", 3912),
            K::Point               => row(Some("point"),      Some(600),  C::Point,                       LeftOut,         b',', Null,    None,                         UNLIMITED,                false),
            K::Tsvector            => row(Some("tsvector"),   Some(3614), C::Tsvector,                    Required,        b',', Null,    None,                         UNLIMITED,                false),
            K::Line                => row(Some("line"),       Some(628),  C::Figure(Figure::Line),           RequiredBefore3, b',', Null,    None,                         UNLIMITED,                false),
            K::Circle              => row(Some("circle"),     Some(718),  C::Figure(Figure::Circle),         RequiredBefore3, b',', Null,    None,                         UNLIMITED,                false),
            K::Box                 => row(Some("box"),        Some(603),  C::Figure(Figure::Box),            RequiredBefore3, b';', Null,    None,                         UNLIMITED,                false),
            K::Lseg                => row(Some("lseg"),       Some(601),  C::Figure(Figure::Lseg),           RequiredBefore3, b',', Null,    None,                         UNLIMITED,                false),
            K::Path                => row(Some("path"),       Some(602),  C::Figure(Figure::Path),           RequiredBefore3, b',', Null,    None,                         UNLIMITED,                false),
            K::Polygon             => row(Some("polygon"),    Some(604),  C::Figure(Figure::Polygon),        RequiredBefore3, b',', Null,    None,                         UNLIMITED,                false),
            K::Enum { labels }     => row(None,               None,       C::Enum { labels },             Required,        b',', Null,    Some(""),                     UNLIMITED,                true),
            K::Hstore              => row(Some("hstore"),     None,       C::Hstore,                      Optional,        b',', Null,    None,                         UNLIMITED,                false),
            K::Ltree               => row(Some("ltree"),      None,       named("io.debezium.data.Ltree"), Optional,        b',', Null,    None,                         UNLIMITED,                false),
            K::Isbn                => row(Some("isbn"),       None,       TEXT,                           Required,        b',', Null,    None,                         UNLIMITED,                false),
            K::Geometry            => row(Some("geometry"),   None,       C::PostGis { schema: "Geometry" }, Optional,        b':', Null,    None,                         UNLIMITED,                false),
            K::Geography           => row(Some("geography"),  None,       C::PostGis { schema: "Geography" }, Optional,        b':', Null,    None,                         UNLIMITED,                false),
            K::Array { element }   => row(Some("anyarray"),   Some(2277), C::Array { element },           LeftOut,         b',', Null,    None,                         element.row().size,       false),
            K::Unknown             => row(None,               None,       C::Unknown,                     Required,        b',', Null,    None,                         UNLIMITED,                false),
        }
    }
}

/// The kinds that a type's OID or name tells, made from the type's modifier. Not here: enums, arrays and domains, which
/// the catalog marks as such, and what is unknown.
const RECOGNISED: [fn(i32) -> PgTypeKind; 51] = {
    use PgTypeKind as K;
    [
        |_| K::Bool,
        |_| K::Int2,
        |_| K::Int4,
        |_| K::Int8,
        |_| K::Oid,
        |_| K::Float4,
        |_| K::Float8,
        numeric,
        |_| K::Money,
        |_| K::Bpchar,
        |_| K::Varchar,
        |_| K::Text,
        |_| K::Name,
        |_| K::Citext,
        |_| K::InternalChar,
        |_| K::Bytea,
        |_| K::Uuid,
        |_| K::Json,
        |_| K::Jsonb,
        |_| K::Xml,
        |_| K::Inet,
        |_| K::Cidr,
        |_| K::Macaddr,
        |_| K::Macaddr8,
        |modifier| K::Bit {
            length: u32::try_from(modifier).unwrap_or(1),
        },
        |modifier| K::Varbit {
            length: u32::try_from(modifier).ok(),
        },
        |_| K::Date,
        |modifier| K::Time {
            precision: precision(modifier),
        },
        |modifier| K::TimeTz {
            precision: precision(modifier),
        },
        |modifier| K::Timestamp {
            precision: precision(modifier),
        },
        |modifier| K::TimestampTz {
            precision: precision(modifier),
        },
        |_| K::Interval,
        |_| K::Range {
            range: RangeKind::Int4,
        },
        |_| K::Range {
            range: RangeKind::Int8,
        },
        |_| K::Range {
            range: RangeKind::Num,
        },
        |_| K::Range {
            range: RangeKind::Ts,
        },
        |_| K::Range {
            range: RangeKind::TsTz,
        },
        |_| K::Range {
            range: RangeKind::Date,
        },
        |_| K::Point,
        |_| K::Tsvector,
        |_| K::Line,
        |_| K::Circle,
        |_| K::Box,
        |_| K::Lseg,
        |_| K::Path,
        |_| K::Polygon,
        |_| K::Hstore,
        |_| K::Ltree,
        |_| K::Isbn,
        |_| K::Geometry,
        |_| K::Geography,
    ]
};

/// Six digits where nothing is said.
fn precision(modifier: i32) -> u8 {
    u8::try_from(modifier).unwrap_or(6).min(6)
}

/// `numeric`'s modifier: precision in the upper 16 bits, the scale an 11-bit number with sign in the lower
/// (`numeric_typmod_scale`); before version 15 the scale had no sign and stayed below 1001, which reads the same.
fn numeric(modifier: i32) -> PgTypeKind {
    if modifier < VARHDRSZ {
        return PgTypeKind::UnconstrainedNumeric;
    }
    let packed = modifier - VARHDRSZ;
    PgTypeKind::Numeric {
        precision: ((packed >> 16) & 0xffff) as u16,
        scale: (((packed & 0x7ff) ^ 1024) - 1024) as i16,
    }
}

impl PgTypeKind {
    /// The kind of a type whose OID is fixed (`pg_type.dat`), with this modifier.
    pub fn of_oid(oid: u32, modifier: i32) -> Option<Self> {
        Self::recognised(modifier).find_map(|of| (of.row().oid == Some(oid)).then_some(of.kind))
    }

    /// The kind of an extension's type: it has no fixed OID, and Debezium knows it by its name.
    pub fn of_extension(name: &str) -> Option<Self> {
        Self::recognised(-1).find_map(|of| {
            let row = of.row();
            (row.oid.is_none() && row.name == Some(name)).then_some(of.kind)
        })
    }

    /// The types that an OID or a name tells, each with this modifier.
    pub fn recognised(modifier: i32) -> impl Iterator<Item = PgType> {
        RECOGNISED
            .iter()
            .map(move |of| PgType::plain(of(modifier), modifier))
    }
}

impl PgType {
    /// The type of this kind that nobody gave another name. What has no OID and no name of its own has 0 and an empty one.
    pub fn plain(kind: PgTypeKind, modifier: i32) -> Self {
        let mut plain = Self {
            oid: 0,
            name: String::new(),
            modifier,
            kind,
        };
        let row = plain.row();
        let (oid, name) = (row.oid, row.name);
        plain.oid = oid.unwrap_or(0);
        plain.name = name.unwrap_or_default().to_owned();
        plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recognised_type_is_found_again() {
        for modifier in [-1, 3, ((12 << 16) | 3) + 4] {
            for of in PgTypeKind::recognised(modifier) {
                let found = match of.row().oid {
                    Some(oid) => PgTypeKind::of_oid(oid, modifier),
                    None => PgTypeKind::of_extension(&of.name),
                };
                assert_eq!(found.as_ref(), Some(&of.kind), "{}", of.name);
            }
        }
        assert_eq!(PgTypeKind::of_oid(2277, -1), None, "an array is none");
        assert_eq!(PgTypeKind::of_extension("text"), None, "it has an OID");
    }
}
