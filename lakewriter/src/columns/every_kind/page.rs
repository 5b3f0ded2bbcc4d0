//! `docs/types.md`: what the table of types says, as a page.

use std::{fmt::Write, path::Path};

use debezium::{
    BinaryHandling, Compat, ConnectSchema, ConnectType, ContractSettings, DecimalHandling,
    HstoreHandling, IntervalHandling, PgType, PgTypeKind, TimePrecision, mapping,
};

use super::{super::lake_type::LakeType, column};

const HEAD: &str = "# Types

This page is written by a test (`TRIBUTARY_BLESS=1 cargo test --workspace --lib the_page_of_types`) from the table of types,
`crates/debezium/src/type_row.rs`.

`events` is the schema that a column's values have in events by default: the type of Kafka Connect, and Debezium's or Connect's
name for what it means. `with other properties` is what the properties of a connector make of it. `arrays` says whether events
have columns of arrays of the type. Debezium leaves out what stands as *left out*.

`lake` is the column of the Delta table. It depends on the type alone, whichever road a value came by and whatever the properties
of the connector are. A column of arrays is a List of the same; arrays of more than one dimension stand as text in `<name>_raw`
on the direct road and are null through Kafka, because Debezium's event has null in their place.

What a column of the lake cannot hold is null there and stands as text in a column `<name>_raw`, which is added the first time it
is needed: infinities, years out of range, and, on the direct road alone, NaN in a Decimal128.

| PostgreSQL | events | with other properties | arrays | lake |
|---|---|---|---|---|
";

/// Properties that change how a type stands in events, each alone; those that came with 3.x beside `debezium.compat=3`.
fn others() -> Vec<(&'static str, ContractSettings)> {
    let settings = || ContractSettings::new("p");
    let decimal = |decimal_handling| ContractSettings {
        decimal_handling,
        ..settings()
    };
    let time = |time_precision| ContractSettings {
        time_precision,
        ..settings()
    };
    let of_3 = |time_precision| ContractSettings {
        compat: Compat::V3,
        ..time(time_precision)
    };
    vec![
        (
            "decimal.handling.mode=double",
            decimal(DecimalHandling::Double),
        ),
        (
            "decimal.handling.mode=string",
            decimal(DecimalHandling::String),
        ),
        (
            "time.precision.mode=adaptive_time_microseconds",
            time(TimePrecision::AdaptiveTimeMicroseconds),
        ),
        ("time.precision.mode=connect", time(TimePrecision::Connect)),
        (
            "interval.handling.mode=string",
            ContractSettings {
                interval_handling: IntervalHandling::String,
                ..settings()
            },
        ),
        (
            "binary.handling.mode=base64, base64-url-safe, hex",
            ContractSettings {
                binary_handling: BinaryHandling::Hex,
                ..settings()
            },
        ),
        (
            "hstore.handling.mode=map",
            ContractSettings {
                hstore_handling: HstoreHandling::Map,
                ..settings()
            },
        ),
        (
            "include.unknown.datatypes=true",
            ContractSettings {
                include_unknown_datatypes: true,
                ..settings()
            },
        ),
        (
            "debezium.compat=3",
            ContractSettings {
                compat: Compat::V3,
                ..settings()
            },
        ),
        (
            "debezium.compat=3 and time.precision.mode=isostring",
            of_3(TimePrecision::Isostring),
        ),
        (
            "debezium.compat=3 and time.precision.mode=microseconds",
            of_3(TimePrecision::Microseconds),
        ),
        (
            "debezium.compat=3 and time.precision.mode=nanoseconds",
            of_3(TimePrecision::Nanoseconds),
        ),
    ]
}

const LEFT_OUT: &str = "*left out*";

fn event_of(pg_type: &PgType, settings: &ContractSettings) -> String {
    mapping(&column(pg_type.clone()), settings)
        .map_or_else(|| LEFT_OUT.to_owned(), |schema| described(&schema))
}

fn described(schema: &ConnectSchema) -> String {
    let kind = match &schema.kind {
        ConnectType::Array(items) => format!("array of {}", described(items)),
        ConnectType::Map { keys, values } => {
            format!("map of {} to {}", keys.kind.as_str(), values.kind.as_str())
        }
        ConnectType::Struct(fields) => {
            let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
            format!("struct of {}", names.join(", "))
        }
        ConnectType::Boolean
        | ConnectType::Int8
        | ConnectType::Int16
        | ConnectType::Int32
        | ConnectType::Int64
        | ConnectType::Float32
        | ConnectType::Float64
        | ConnectType::String
        | ConnectType::Bytes => schema.kind.as_str().to_owned(),
    };
    match &schema.name {
        Some(name) => format!("{kind} `{name}`"),
        None => kind,
    }
}

fn others_of(pg_type: &PgType, usual: &str) -> String {
    let mut found: Vec<(String, Vec<&str>)> = Vec::new();
    for (property, settings) in others() {
        let other = event_of(pg_type, &settings);
        let same = ContractSettings {
            compat: settings.compat,
            ..ContractSettings::new("p")
        };
        let is_of_3_alone = property.contains(' ') && other == event_of(pg_type, &same);
        if other == usual || is_of_3_alone {
            continue;
        }
        match found.iter_mut().find(|(known, _)| *known == other) {
            Some((_, properties)) => properties.push(property),
            None => found.push((other, vec![property])),
        }
    }
    let found = found.into_iter().map(|(other, properties)| {
        let properties: Vec<_> = properties.iter().map(|it| format!("`{it}`")).collect();
        format!("{}: {other}", properties.join(", "))
    });
    found.collect::<Vec<_>>().join("; ")
}

/// Of the 2.7 and of the 3.x events of a type's arrays.
fn arrays_of(pg_type: &PgType) -> String {
    let array = PgType::plain(
        PgTypeKind::Array {
            element: Box::new(pg_type.clone()),
        },
        -1,
    );
    let has = |settings: &ContractSettings| {
        debezium::decode::Representation::of(&array, settings).is_some()
    };
    let [usual, unknown, of_3] = [
        ContractSettings::new("p"),
        ContractSettings {
            include_unknown_datatypes: true,
            ..ContractSettings::new("p")
        },
        ContractSettings {
            compat: Compat::V3,
            ..ContractSettings::new("p")
        },
    ];
    let is_named = mapping(&column(array.clone()), &of_3).is_some();
    match (has(&usual), has(&unknown), has(&of_3)) {
        (true, _, _) => "yes",
        (false, _, true) => "`debezium.compat=3`",
        (false, true, false) if is_named => "`include.unknown.datatypes=true`; null in 3.x",
        (false, true, false) => "`include.unknown.datatypes=true`",
        (false, false, false) if is_named => "null always",
        (false, false, false) => LEFT_OUT,
    }
    .to_owned()
}

/// The type of the lake's column, and what its values mean.
fn lake_of(pg_type: &PgType) -> String {
    let Some(lake) = LakeType::of(pg_type) else {
        return "no column".to_owned();
    };
    let means = match &lake {
        LakeType::Boolean | LakeType::Int64 | LakeType::Double | LakeType::Binary => "",
        LakeType::Utf8 => "as PostgreSQL prints it",
        LakeType::Single => "widened as PostgreSQL's cast does it",
        LakeType::Decimal { .. } => {
            "a scale below zero is written out, one above the precision widens it"
        }
        LakeType::DecimalText { .. } => "the exact text: more than 38 digits",
        LakeType::UnconstrainedDecimal => "the exact text, without zeros at its end",
        LakeType::Money { .. } => "the bare number",
        LakeType::Bits => "little-endian, without trailing zero bytes",
        LakeType::Date => "days",
        LakeType::Time => "microseconds",
        LakeType::TimeTz => "in UTC, `11:51:30.5Z`",
        LakeType::Timestamp => "without zone",
        LakeType::TimestampTz => "UTC",
        LakeType::Interval => "ISO 8601 of its microseconds, a month as 30.4375 days",
        LakeType::Point => "x and y",
        LakeType::Geometry => "EWKB",
        LakeType::Hstore => "of texts, sorted as PostgreSQL sorts them",
        LakeType::List(_) => "",
    };
    let arrow = lake.arrow().to_string();
    let is_timestamp = matches!(lake, LakeType::Timestamp | LakeType::TimestampTz);
    let arrow = match arrow.split_once('(') {
        Some(_) if is_timestamp => "Timestamp in microseconds",
        Some((name, _)) if !matches!(lake, LakeType::Decimal { .. }) => name,
        Some(_) | None => arrow.as_str(),
    };
    match means {
        "" => arrow.to_owned(),
        means => format!("{arrow}, {means}"),
    }
}

/// The types of the page: every kind, some with modifiers that make another type of it in events.
fn types() -> Vec<(String, PgType)> {
    let mut types: Vec<_> = PgTypeKind::recognised(-1)
        .map(|of| (of.name.clone(), of))
        .collect();
    let with = |name: &str, modifier| {
        let mut recognised = PgTypeKind::recognised(modifier);
        recognised.find(|of| of.name == name).expect("recognised")
    };
    for (name, shown, modifier) in [
        ("numeric", "numeric(10,2)", (10 << 16 | 2) + 4),
        ("numeric", "numeric(50,2)", (50 << 16 | 2) + 4),
        ("bit", "bit(3)", 3),
        ("varbit", "varbit(3)", 3),
        ("time", "time(3)", 3),
        ("timestamp", "timestamp(3)", 3),
    ] {
        let of = with(name, modifier);
        let bare = |shown: &str| shown.split('(').next().map(str::to_owned);
        let at = types
            .iter()
            .rposition(|(known, _)| bare(known).as_deref() == Some(name));
        types.insert(at.expect("known") + 1, (shown.to_owned(), of));
    }
    let labels = vec!["a".to_owned(), "b".to_owned()];
    for (name, kind) in [
        ("an enum", PgTypeKind::Enum { labels }),
        ("composites and what else has no rule", PgTypeKind::Unknown),
    ] {
        types.push((name.to_owned(), PgType::plain(kind, -1)));
    }
    types
}

fn page() -> String {
    let mut rows: Vec<(Vec<String>, [String; 4])> = Vec::new();
    for (name, pg_type) in types() {
        let usual = event_of(&pg_type, &ContractSettings::new("p"));
        let cells = [
            usual.clone(),
            others_of(&pg_type, &usual),
            arrays_of(&pg_type),
            lake_of(&pg_type),
        ];
        match rows.iter_mut().find(|(_, known)| *known == cells) {
            Some((names, _)) => names.push(name),
            None => rows.push((vec![name], cells)),
        }
    }
    let mut page = HEAD.to_owned();
    for (names, cells) in rows {
        let _ = writeln!(page, "| {} | {} |", names.join(", "), cells.join(" | "));
    }
    page
}

#[test]
fn the_page_of_types_is_this_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/types.md");
    let page = page();
    if std::env::var_os("TRIBUTARY_BLESS").is_some() {
        std::fs::write(&path, &page).expect("docs/types.md is written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let new = page.lines().filter(|line| !found.contains(line));
    assert!(
        found == page,
        "docs/types.md is not what the table of types says: TRIBUTARY_BLESS=1 writes it. It lacks\n{}",
        new.collect::<Vec<_>>().join("\n")
    );
}
