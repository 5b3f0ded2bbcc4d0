use crate::{ColumnRule, ConnectSchema, ContractSettings, TableSchema, mapping};

impl TableSchema {
    /// How each column stands in events, in the order of `columns`: the schema of its field, or None for a column
    /// whose type is left out of events.
    pub fn column_schemas(&self, settings: &ContractSettings) -> Vec<Option<ConnectSchema>> {
        self.columns
            .iter()
            .map(|column| match column.rule {
                Some(ColumnRule::KeyOnly) => None,
                _ => mapping(column, settings),
            })
            .collect()
    }
}
