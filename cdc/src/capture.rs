use regex::Regex;

use connector::CaptureFilter;

/// Schemas that hold no user's tables.
const SYSTEM_SCHEMAS: [&str; 3] = ["pg_catalog", "information_schema", "pg_toast"];

fn listed(include: &[Regex], exclude: &[Regex], name: &str) -> bool {
    let matches = |list: &[Regex]| list.iter().any(|regex| regex.is_match(name));
    (include.is_empty() || matches(include)) && !matches(exclude)
}

/// Whether a schema holds no user's tables.
pub(crate) fn is_of_the_system(schema: &str) -> bool {
    SYSTEM_SCHEMAS.contains(&schema) || schema.starts_with("pg_temp_")
}

/// Whether changes of this table are captured.
pub fn captures_table(filter: &CaptureFilter, schema: &str, table: &str) -> bool {
    if is_of_the_system(schema) {
        return false;
    }
    listed(&filter.schema_include, &filter.schema_exclude, schema)
        && listed(
            &filter.table_include,
            &filter.table_exclude,
            &format!("{schema}.{table}"),
        )
}

/// Whether this column's values are captured.
pub fn captures_column(filter: &CaptureFilter, schema: &str, table: &str, column: &str) -> bool {
    if filter.column_include.is_empty() && filter.column_exclude.is_empty() {
        return true;
    }
    listed(
        &filter.column_include,
        &filter.column_exclude,
        &format!("{schema}.{table}.{column}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(patterns: &[&str]) -> Vec<Regex> {
        patterns
            .iter()
            .map(|pattern| Regex::new(&format!("(?i)^(?:{pattern})$")).expect("valid regex"))
            .collect()
    }

    #[test]
    fn tables_pass_both_lists() {
        let filter = CaptureFilter {
            schema_include: list(&["public", "app_.*"]),
            table_exclude: list(&["public\\.audit"]),
            ..CaptureFilter::default()
        };
        for (schema, table, want) in [
            ("public", "tweets", true),
            ("PUBLIC", "tweets", true),
            ("public", "audit", false),
            ("app_1", "audit", true),
            ("other", "tweets", false),
            ("pg_catalog", "pg_class", false),
        ] {
            assert_eq!(
                captures_table(&filter, schema, table),
                want,
                "{schema}.{table}"
            );
        }
        assert!(!captures_table(&CaptureFilter::default(), "pg_toast", "x"));
    }

    #[test]
    fn columns_are_excluded_by_their_full_name() {
        let filter = CaptureFilter {
            column_exclude: list(&["public\\.users\\.password"]),
            ..CaptureFilter::default()
        };
        assert!(!captures_column(&filter, "public", "users", "password"));
        assert!(captures_column(&filter, "public", "users", "name"));
    }
}
