//! Whatever the values are.

use std::sync::Arc;

use arrow::{array::Array, datatypes::DataType};
use debezium::{
    ChangeEvent, ColumnValue, ContractSettings, Operation, PgTypeKind, ReplicaIdentity,
    decode::{JsonValue, Representation},
};
use proptest::prelude::*;

use super::{
    META, by_kafka, difference, event,
    every_type::{all_settings, all_types, pg_type},
    table,
};
use crate::columns::{ChangeColumns, buffer::ColumnBuffer, from_json, lake_type::LakeType};

proptest! {
    #[test]
    fn any_json_is_refused_or_taken(
        json in r#"-?[0-9]{1,20}(\.[0-9]{1,3})?(E-?[0-9]{1,9})?|"[ -!#-\[\]-~]{0,12}"|"P[0-9YMDTHS.-]{0,9}"|\{"(scale|x|wkb)":[0-9]{1,9},"(value|y)":("[A-Z]{4}"|1)\}|\["?[a-z0-9]{1,3}"?\]|true"#,
    ) {
        let Ok(value) = JsonValue::parse(&json) else {
            return Ok(());
        };
        for (kind, _) in all_types() {
            let pg_type = pg_type(kind);
            for settings in all_settings() {
                let (Some(lake_type), Some(representation)) =
                    (LakeType::of(&pg_type), Representation::of(&pg_type, &settings))
                else {
                    continue;
                };
                let data_type: DataType = lake_type.arrow();
                let mut column = ColumnBuffer::new(&data_type);
                let taken = from_json::append(&mut column, &lake_type, &representation, value).is_ok();
                if !taken {
                    column.truncate(0);
                }
                let rows = column.finish(&data_type).expect("a column").len();
                prop_assert_eq!(rows, usize::from(taken));
            }
        }
    }

    #[test]
    fn any_text_is_refused_or_taken(text in prop::collection::vec(any::<u8>(), 0..24), n in 0usize..100) {
        let types = all_types();
        let (kind, _) = &types[n % types.len()];
        let table = table(vec![("id".to_owned(), kind.clone())], ReplicaIdentity::Default);
        let mut columns = ChangeColumns::new(Arc::clone(&table));
        let row = [ColumnValue::Text(&text)];
        let event = ChangeEvent { after: Some(&row), ..event(&table, Operation::Create) };
        let taken = columns.append_event(&event, META).is_ok();
        prop_assert_eq!(columns.rows(), usize::from(taken));
        prop_assert_eq!(columns.finish().expect("columns").num_rows(), usize::from(taken));
    }

    #[test]
    fn numbers_and_times_are_the_same_by_both_roads(
        unscaled in -99_999_999_999i64..99_999_999_999,
        double in any::<f64>(),
        single in any::<f32>(),
        micros in 0i64..86_400_000_000,
        text in any::<String>(),
    ) {
        let table = table(
            vec![
                ("id".to_owned(), PgTypeKind::Int8),
                ("n".to_owned(), PgTypeKind::Numeric { precision: 12, scale: 3 }),
                ("d".to_owned(), PgTypeKind::Float8),
                ("s".to_owned(), PgTypeKind::Float4),
                ("t".to_owned(), PgTypeKind::Time { precision: 6 }),
                ("x".to_owned(), PgTypeKind::Text),
            ],
            ReplicaIdentity::Default,
        );
        let sign = if unscaled < 0 { "-" } else { "" };
        let seconds = micros / 1_000_000;
        // PostgreSQL has neither the sign of a NaN nor the character NUL.
        let texts = [
            unscaled.to_string(),
            format!("{sign}{}.{:03}", unscaled.abs() / 1000, unscaled.abs() % 1000),
            postgres_float(double.is_infinite(), double.to_string()),
            postgres_float(single.is_infinite(), single.to_string()),
            format!(
                "{:02}:{:02}:{:02}.{:06}",
                seconds / 3600, seconds / 60 % 60, seconds % 60, micros % 1_000_000
            ),
            text.replace('\0', ""),
        ];
        let row: Vec<_> = texts.iter().map(|text| ColumnValue::Text(text.as_bytes())).collect();
        let event = ChangeEvent { after: Some(&row), ..event(&table, Operation::Create) };
        let mut direct = ChangeColumns::new(Arc::clone(&table));
        let mut kafka = ChangeColumns::new(Arc::clone(&table));
        direct.append_event(&event, META).expect("direct");
        by_kafka(&mut kafka, &event, &ContractSettings::new("p")).expect("Kafka");
        let difference = difference(&direct.finish().expect("columns"), &kafka.finish().expect("columns"));
        prop_assert_eq!(difference, None);
    }
}

fn postgres_float(infinite: bool, text: String) -> String {
    if infinite {
        text.replace("inf", "Infinity")
    } else {
        text
    }
}
