//! What a table tells of columns whose events have no schema: a restart takes them for what they were taken for.

use std::collections::HashMap;

use debezium::decode::InferredType;
use deltalake_core::kernel::{DataType, PrimitiveType, StructType};

use super::LakeTable;

impl LakeTable {
    /// The types of columns that such events can fill, by their names in the source. Of a column that goes on under a
    /// new name (`name__v2`) the newest counts.
    pub(crate) fn inferred_types(&self) -> HashMap<String, InferredType> {
        inferred_types(&self.schema())
    }
}

fn inferred_types(schema: &StructType) -> HashMap<String, InferredType> {
    let mut newest: HashMap<String, (u32, InferredType)> = HashMap::new();
    for field in schema.fields() {
        let DataType::Primitive(data_type) = field.data_type() else {
            continue;
        };
        // Of the other types an event without schema does not tell which of several ways its value is written in.
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all other types of Delta are alike here"
        )]
        let inferred = match data_type {
            PrimitiveType::Boolean => InferredType::Bool,
            PrimitiveType::Long => InferredType::Int8,
            PrimitiveType::Double => InferredType::Float8,
            PrimitiveType::String => InferredType::Text,
            _ => continue,
        };
        let name = field.name();
        let numbered = name
            .rsplit_once("__v")
            .and_then(|(name, number)| Some((name, number.parse().ok()?)));
        for (name, number) in [Some((name.as_str(), 1)), numbered].into_iter().flatten() {
            let known = newest.entry(name.to_owned()).or_insert((number, inferred));
            if number >= known.0 {
                *known = (number, inferred);
            }
        }
    }
    newest
        .into_iter()
        .map(|(name, (_, inferred))| (name, inferred))
        .collect()
}

#[cfg(test)]
mod tests {
    use deltalake_core::kernel::StructField;

    use super::*;

    #[test]
    fn the_newest_column_of_a_name_counts() {
        let schema = StructType::try_new(
            [
                ("id", DataType::LONG),
                ("price", DataType::LONG),
                ("price__v2", DataType::STRING),
                ("at", DataType::TIMESTAMP),
                ("sold", DataType::BOOLEAN),
            ]
            .map(|(name, data_type)| StructField::nullable(name, data_type)),
        )
        .expect("distinct names");
        let types = inferred_types(&schema);
        assert_eq!(types.get("id"), Some(&InferredType::Int8));
        assert_eq!(types.get("price"), Some(&InferredType::Text));
        assert_eq!(types.get("sold"), Some(&InferredType::Bool));
        assert_eq!(types.get("at"), None);
    }
}
