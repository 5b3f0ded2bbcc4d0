//! The table of properties against the parser that reads them.

use std::collections::BTreeMap;

use super::{ConfigReport, ConnectorConfig, Handling, Property, ValueType, known};

fn parse(name: &str, value: &str) -> Result<ConnectorConfig, ConfigReport> {
    let settings = [
        ("name", "c"),
        ("database.hostname", "postgres"),
        ("database.user", "postgres"),
        ("database.dbname", "postgres"),
        ("topic.prefix", "p"),
        (name, value),
    ];
    let settings: BTreeMap<String, String> = settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let mut config = ConnectorConfig::parse(&settings)?.config;
    // What was posted is kept as it was.
    config.properties.clear();
    Ok(config)
}

/// Properties that are read whatever the others are.
fn read() -> impl Iterator<Item = &'static Property> {
    known()
        .filter(|(property, handling)| **handling == Handling::Used && !property.name.contains('*'))
        .map(|(property, _)| property)
}

#[test]
fn a_property_that_is_set_to_its_default_changes_nothing() {
    let without = format!(
        "{:?}",
        parse("connector.class", "").expect("enough settings")
    );
    for property in read() {
        // Nothing is set there by default; that the property stands in the settings may mean something.
        let Some(default) = property.default.filter(|text| !text.is_empty()) else {
            continue;
        };
        // Set, it is said in the log that something stronger is used.
        if property.name == "snapshot.isolation.mode" {
            continue;
        }
        let with = parse(property.name, default).expect(property.name);
        assert_eq!(format!("{with:?}"), without, "{}", property.name);
    }
}

#[test]
fn what_a_form_offers_is_known_to_the_parser_and_nothing_else_is() {
    for property in read() {
        let offered = property.form.iter().flat_map(|form| &form.recommended);
        for value in offered.clone() {
            let problems = parse(property.name, value).err();
            let problems = problems.into_iter().flat_map(|report| report.problems);
            for problem in problems {
                assert!(
                    !problem.rule.starts_with("Value must be one of"),
                    "{} = {value}: {}",
                    property.name,
                    problem.rule
                );
            }
        }
        if offered.count() > 0 {
            assert!(
                parse(property.name, "nonsense").is_err(),
                "{}",
                property.name
            );
        }
    }
}

#[test]
fn values_of_another_type_are_refused() {
    for property in read() {
        match property.value_type {
            Some(ValueType::Boolean | ValueType::Int | ValueType::Long) => {}
            Some(ValueType::String | ValueType::List | ValueType::Class | ValueType::Password)
            | None => continue,
        }
        let report = parse(property.name, "nonsense").expect_err(property.name);
        assert!(
            report
                .problems
                .iter()
                .any(|problem| problem.property == property.name),
            "{}",
            property.name
        );
    }
}
