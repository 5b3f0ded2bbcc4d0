//! Every type of PostgreSQL, and every combination of the settings that change how it is written.

use debezium::{
    BinaryHandling, ContractSettings, DecimalFormat, DecimalHandling, HstoreHandling,
    IntervalHandling, NameAdjustment, PgType, PgTypeKind, RangeKind, TimePrecision,
};

pub(super) fn pg_type(kind: PgTypeKind) -> PgType {
    PgType {
        oid: 0,
        name: String::new(),
        modifier: -1,
        kind,
    }
}

pub(super) fn array(kind: PgTypeKind) -> PgTypeKind {
    PgTypeKind::Array {
        element: Box::new(pg_type(kind)),
    }
}

/// Every type of the contract with values at its edges, as PostgreSQL prints them.
pub(in crate::columns) fn all_types() -> Vec<(PgTypeKind, Vec<&'static str>)> {
    use PgTypeKind as K;
    let text = [
        "",
        "plain",
        "quote \" back \\ tab \t nul \u{1} ä 五 🎉 \u{2028}",
        "null",
    ];
    let mut types = vec![
        (K::Bool, vec!["t", "f"]),
        (K::Int2, vec!["-32768", "32767"]),
        (K::Int4, vec!["0", "-2147483648"]),
        (K::Int8, vec!["9223372036854775807", "-9223372036854775808"]),
        (K::Oid, vec!["4294967295"]),
        (
            K::Float4,
            vec![
                "3.4e+38", "-0", "0.1", "1e-45", "NaN", "Infinity", "16777216",
            ],
        ),
        (
            K::Float8,
            vec![
                "1.7976931348623157e+308",
                "5e-324",
                "-0.1",
                "1e+10",
                "NaN",
                "-Infinity",
            ],
        ),
        (
            K::Numeric {
                precision: 10,
                scale: 2,
            },
            vec!["4.50", "-0.01", "99999999.99", "0.00"],
        ),
        (
            K::Numeric {
                precision: 38,
                scale: 38,
            },
            vec!["-0.99999999999999999999999999999999999999"],
        ),
        (
            K::Numeric {
                precision: 5,
                scale: -2,
            },
            vec!["1234500", "0", "-100"],
        ),
        (
            K::Numeric {
                precision: 3,
                scale: 5,
            },
            vec!["0.00123", "-0.00001"],
        ),
        (
            K::Numeric {
                precision: 50,
                scale: 2,
            },
            vec![
                "123456789012345678901234567890123456789012345678.90",
                "-1.00",
            ],
        ),
        (
            K::UnconstrainedNumeric,
            vec![
                "1.10",
                "100",
                "0",
                "0.00",
                "-123456789012345678901234567890.123456789",
                "0.00000000000000000001",
            ],
        ),
        (K::Money, vec!["$12.34", "-$0.01", "$1,234,567.80"]),
        (K::Bytea, vec!["\\x", "\\xdeadbeef00ff", "\\x00"]),
        (K::Uuid, vec!["c0ffee00-1234-5678-9abc-def012345678"]),
        (K::Inet, vec!["192.168.1.1/24", "::1"]),
        (K::Bit { length: 1 }, vec!["0", "1"]),
        (
            K::Bit { length: 9 },
            vec!["000000000", "100000001", "000000011"],
        ),
        (
            K::Varbit { length: None },
            vec!["", "11110000111100001", "0"],
        ),
        (
            K::Date,
            vec![
                "2024-05-01",
                "0044-03-15 BC",
                "9999-12-31",
                "infinity",
                "-infinity",
            ],
        ),
        (K::Time { precision: 0 }, vec!["13:51:30", "24:00:00"]),
        (
            K::Time { precision: 6 },
            vec!["13:51:30.123789", "00:00:00.000001"],
        ),
        (
            K::TimeTz { precision: 6 },
            vec![
                "13:51:30.123789+02",
                "00:00:00-12",
                "10:15:00.5+00",
                "10:15:00+05:30",
            ],
        ),
        (
            K::Timestamp { precision: 3 },
            vec![
                "2024-05-01 13:51:30.123",
                "1969-12-31 23:59:59.999",
                "infinity",
                "-infinity",
            ],
        ),
        (
            K::Timestamp { precision: 6 },
            vec![
                "2024-05-01 13:51:30.123789",
                "0044-03-15 12:00:00 BC",
                "0001-01-01 00:00:00",
                "infinity",
                "-infinity",
            ],
        ),
        (
            K::TimestampTz { precision: 6 },
            vec![
                "2024-05-01 11:51:30.123789+00",
                "0044-03-15 12:00:00+00 BC",
                "12345-01-01 00:00:00+00",
                "294270-01-01 00:00:00+00",
                "infinity",
                "-infinity",
            ],
        ),
        (
            K::TimestampTz { precision: 0 },
            vec!["2024-05-01 11:51:30+00"],
        ),
        (
            K::Interval,
            vec![
                "1 year 2 mons 3 days 04:05:06.789",
                "-1 mons -2 days -03:04:05.000006",
                "00:00:00",
                "100 years",
                "-1 days +00:00:01",
            ],
        ),
        (
            K::Range {
                range: RangeKind::TsTz,
            },
            vec!["[\"2023-12-31 22:00:00+00\",infinity)", "empty"],
        ),
        (K::Point, vec!["(1.5,-2.25)", "(0,0)", "(1e-10,1e+15)"]),
        (
            K::Enum {
                labels: vec!["sad".into(), "ok".into()],
            },
            vec!["sad", "ok"],
        ),
        (
            K::Hstore,
            vec!["", "\"b\"=>\"1\", \"aa\"=>NULL, \"q\\\"\"=>\"\\\\\""],
        ),
        (
            K::Geometry,
            vec!["0101000000000000000000F03F000000000000F03F"],
        ),
        (array(K::Bool), vec!["{t,f,NULL}", "{}"]),
        (array(K::Int4), vec!["{1,NULL,3}", "[0:1]={1,2}"]),
        (array(K::Int8), vec!["{9223372036854775807}"]),
        (array(K::Float4), vec!["{1.5,NaN}"]),
        (array(K::Float8), vec!["{0.1,1e+300,-Infinity}"]),
        (
            array(K::Numeric {
                precision: 5,
                scale: 2,
            }),
            vec!["{1.00,2.50,NULL}"],
        ),
        (array(K::UnconstrainedNumeric), vec!["{1,2.50}"]),
        (
            array(K::Text),
            vec!["{a,\"b,c\",\"d\\\"e\",NULL,\"NULL\",\"\"}"],
        ),
        (
            array(K::Uuid),
            vec!["{c0ffee00-1234-5678-9abc-def012345678}"],
        ),
        (array(K::Jsonb), vec!["{\"{\\\"a\\\": 1}\"}"]),
        (array(K::Bytea), vec!["{\"\\\\x00ff\",NULL}"]),
        (array(K::Date), vec!["{2024-05-01,NULL}"]),
        (array(K::Time { precision: 0 }), vec!["{13:51:30}"]),
        (
            array(K::Timestamp { precision: 6 }),
            vec!["{\"2024-05-01 13:51:30.5\"}"],
        ),
        (
            array(K::TimestampTz { precision: 6 }),
            vec!["{\"2024-05-01 11:51:30.5+00\"}"],
        ),
        (
            array(K::Enum {
                labels: vec!["sad".into()],
            }),
            vec!["{sad}"],
        ),
        (
            array(K::Range {
                range: RangeKind::Int4,
            }),
            vec!["{\"[1,3)\",NULL}"],
        ),
        (
            K::Geography,
            vec!["0101000020E6100000000000000000F03F000000000000F03F"],
        ),
        (K::Tsvector, vec!["'a':1 'b':2"]),
        (K::Line, vec!["{1,-2,3.5}"]),
        (K::Circle, vec!["<(1,2),3>"]),
        (K::Box, vec!["(1,1),(0,0)"]),
        (K::Lseg, vec!["[(0,0),(1,1)]"]),
        (K::Path, vec!["((0,0),(1,1))", "[(0,0),(1,1)]"]),
        (K::Polygon, vec!["((0,0),(1,0),(0,1))"]),
        (K::Unknown, vec!["(1,x)"]),
        (array(K::Money), vec!["{$1.50}"]),
        (array(K::Interval), vec!["{\"1 day\"}"]),
    ];
    types.extend(
        [
            K::Bpchar,
            K::Varchar,
            K::Text,
            K::Name,
            K::Citext,
            K::Json,
            K::Jsonb,
            K::Xml,
            K::Ltree,
            K::Isbn,
        ]
        .map(|kind| (kind, text.to_vec())),
    );
    types.push((K::InternalChar, vec!["c", " ", ""]));
    for kind in [K::Cidr, K::Macaddr, K::Macaddr8] {
        types.push((kind, vec!["10.0.0.0/8"]));
    }
    types
}

pub(super) fn all_settings() -> Vec<ContractSettings> {
    let settings = || ContractSettings::new("p");
    vec![
        settings(),
        ContractSettings {
            value_schemas_enable: false,
            decimal_handling: DecimalHandling::String,
            interval_handling: IntervalHandling::String,
            hstore_handling: HstoreHandling::Map,
            binary_handling: BinaryHandling::Hex,
            time_precision: TimePrecision::AdaptiveTimeMicroseconds,
            ..settings()
        },
        ContractSettings {
            decimal_format: DecimalFormat::Numeric,
            binary_handling: BinaryHandling::Base64UrlSafe,
            field_name_adjustment: NameAdjustment::Avro,
            ..settings()
        },
        ContractSettings {
            value_schemas_enable: false,
            binary_handling: BinaryHandling::Base64,
            ..settings()
        },
    ]
}
