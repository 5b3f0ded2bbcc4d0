//! How PostgreSQL's casts print values of one type as those of another.

use super::*;

fn of(kind: PgTypeKind) -> ColumnType {
    ColumnType {
        name: "t".to_owned(),
        modifier: -1,
        kind,
    }
}

#[test]
fn values_are_printed_as_postgresqls_casts_print_them() {
    use LakeValue::{Bytes, Day, Float, Micros, Text};
    use PgTypeKind as Kind;
    // 'value'::from::to, asked of PostgreSQL 15.
    let cases: Vec<(Kind, LakeValue<'_>, Kind, &str)> = vec![
        (Kind::Bpchar, Text("a   "), Kind::Text, "a"),
        (
            Kind::Text,
            Text(" {A0EEBC99-9C0B4EF8-BB6D-6BB9BD380A11}"),
            Kind::Uuid,
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        ),
        (Kind::Text, Text(" 007 "), Kind::Int4, "7"),
        (Kind::Text, Text("+5"), Kind::Int8, "5"),
        (
            Kind::Text,
            Text("1.500e2"),
            Kind::UnconstrainedNumeric,
            "150",
        ),
        (Kind::Money, Text("2.00"), Kind::UnconstrainedNumeric, "2"),
        (Kind::Float8, Float(1.0), Kind::Text, "1"),
        (Kind::Float8, Float(1e20), Kind::Text, "1e+20"),
        (Kind::Float8, Float(1e14), Kind::Text, "100000000000000"),
        (Kind::Float8, Float(1e15), Kind::Text, "1e+15"),
        (Kind::Float8, Float(-0.0), Kind::Text, "-0"),
        (Kind::Float8, Float(0.0001), Kind::Text, "0.0001"),
        (Kind::Float8, Float(0.000_012_5), Kind::Text, "1.25e-05"),
        (Kind::Float4, Float(f64::from(0.1_f32)), Kind::Text, "0.1"),
        (Kind::Float4, Float(1e10), Kind::Text, "1e+10"),
        (Kind::Float4, Float(1_234_567.0), Kind::Text, "1.234567e+06"),
        (Kind::Float8, Float(2.0), Kind::UnconstrainedNumeric, "2"),
        (
            Kind::Float8,
            Float(0.1 + 0.2),
            Kind::UnconstrainedNumeric,
            "0.3",
        ),
        (
            Kind::Float4,
            Float(f64::from(123.4567_f32)),
            Kind::UnconstrainedNumeric,
            "123.457",
        ),
        (Kind::Float8, Float(2.5), Kind::Int4, "2"),
        (Kind::Float8, Float(-3.5), Kind::Int4, "-4"),
        (Kind::Date, Day(0), Kind::Text, "1970-01-01"),
        (Kind::Date, Day(-719_163), Kind::Text, "0001-12-31 BC"),
        (
            Kind::Timestamp { precision: 6 },
            Micros(1_500_000),
            Kind::Text,
            "1970-01-01 00:00:01.5",
        ),
        (
            Kind::Timestamp { precision: 6 },
            Micros(-1_000_000),
            Kind::Varchar,
            "1969-12-31 23:59:59",
        ),
        (
            Kind::Time { precision: 6 },
            Micros(86_400_000_000),
            Kind::Text,
            "24:00:00",
        ),
        (Kind::Inet, Text("10.0.0.1"), Kind::Text, "10.0.0.1/32"),
        (Kind::Inet, Text("::1"), Kind::Text, "::1/128"),
        (Kind::Inet, Text("10.0.0.0/8"), Kind::Text, "10.0.0.0/8"),
        (Kind::Cidr, Text("10.0.0.1/32"), Kind::Inet, "10.0.0.1"),
        (Kind::Cidr, Text("10.0.0.0/8"), Kind::Inet, "10.0.0.0/8"),
        (Kind::Bytea, Bytes(&[0, 255]), Kind::Text, "\\x00ff"),
        (
            Kind::Macaddr,
            Text("08:00:2b:01:02:03"),
            Kind::Macaddr8,
            "08:00:2b:ff:fe:01:02:03",
        ),
    ];
    for (from, value, to, printed) in cases {
        let Respelling::Print(spelling) = respelling(&of(from.clone()), &of(to.clone())) else {
            panic!("{from:?} to {to:?} is not printed anew");
        };
        let found = spelling.of(&value);
        assert_eq!(found.as_deref(), Some(printed), "{from:?} to {to:?}");
    }
    let four = ColumnType {
        modifier: 8,
        ..of(Kind::Bpchar)
    };
    let padded = respelling(&of(Kind::Varchar), &four);
    assert_eq!(padded, Respelling::Print(Spelling::Padded(4)));
    assert_eq!(Spelling::Padded(4).of(&Text("ä")).as_deref(), Some("ä   "));
}

#[test]
fn what_depends_on_more_than_the_value_is_not_known() {
    use PgTypeKind as Kind;
    let stamp = Kind::Timestamp { precision: 6 };
    let zoned = Kind::TimestampTz { precision: 6 };
    let labels = |labels: &[&str]| Kind::Enum {
        labels: labels.iter().map(|&label| label.to_owned()).collect(),
    };
    for (from, to) in [
        (stamp.clone(), zoned.clone()),
        (zoned.clone(), stamp.clone()),
        (zoned, Kind::Text),
        (stamp, Kind::Timestamp { precision: 0 }),
        (Kind::Money, Kind::Text),
        (Kind::Interval, Kind::Text),
        (Kind::UnconstrainedNumeric, Kind::Text),
        (Kind::Text, Kind::Date),
        (Kind::Int4, Kind::Unknown),
        (labels(&["a", "b"]), labels(&["AA", "b"])),
    ] {
        let found = respelling(&of(from.clone()), &of(to.clone()));
        assert_eq!(found, Respelling::Unknown, "{from:?} to {to:?}");
    }
    for (from, to) in [
        (Kind::Varchar, Kind::Citext),
        (Kind::Int4, Kind::Int8),
        (labels(&["a"]), labels(&["a", "b"])),
        (Kind::Text, Kind::Text),
    ] {
        assert_eq!(respelling(&of(from), &of(to)), Respelling::Cast);
    }
}

#[test]
fn numbers_that_are_equal_are_written_alike() {
    for (text, written) in [
        ("1.10", "1.1"),
        ("1.1", "1.1"),
        ("-0.00", "0"),
        ("0010", "10"),
        ("1E+3", "1000"),
        ("12e-3", "0.012"),
        ("-1.50", "-1.5"),
        (".5", "0.5"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("1e999999999", "1e999999999"),
        ("", ""),
        (".", "."),
        ("one", "one"),
    ] {
        assert_eq!(decimal(text), written, "{text}");
    }
}
