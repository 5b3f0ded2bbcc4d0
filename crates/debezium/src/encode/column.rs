use crate::{
    Column, ConnectField, ConnectSchema, ContractSettings,
    default_value::{fallback, unavailable},
    json::write_string,
    mapping::column_mapping,
    name::adjusted_field_name,
    value::{Codec, Style, write_header_string},
};

/// One column as it is written into rows or keys: everything that does not depend on the value is ready.
#[derive(Debug)]
pub(super) struct PreparedColumn {
    /// Position in the table's columns.
    pub(super) index: usize,
    pub(super) field: ConnectField,
    /// `,"name":`, the comma left out for the first field.
    pub(super) label: Vec<u8>,
    /// The same in a key header.
    pub(super) header_label: Vec<u8>,
    pub(super) codec: Codec,
    pub(super) header_style: Style,
    /// What NULL is written as: `null`, or the default (`replace.null.with.default`); None where null is not allowed.
    pub(super) null: Option<Vec<u8>>,
    /// What is written where the value is missing: as `null`, or the type's zero if the column is required.
    pub(super) missing: Option<Vec<u8>>,
    /// What stands for an unchanged TOAST value.
    pub(super) unavailable: Option<Vec<u8>>,
}

impl PreparedColumn {
    /// None if the column's type is left out of events.
    pub(super) fn new(
        index: usize,
        column: &Column,
        first: bool,
        settings: &ContractSettings,
    ) -> Option<Self> {
        let mapping = column_mapping(column, settings)?;
        let name = adjusted_field_name(&column.name, settings.field_name_adjustment).into_owned();
        let comma = if first { &b""[..] } else { b"," };
        let mut label = comma.to_vec();
        write_string(&mut label, name.as_bytes());
        label.push(b':');
        let mut header_label = comma.to_vec();
        write_header_string(name.as_bytes(), &mut header_label);
        header_label.push(b':');
        let ConnectSchema {
            optional, default, ..
        } = &mapping.schema;
        let null = match default {
            Some(default) if settings.replace_null_with_default || !optional => {
                Some(default.clone().into_bytes())
            }
            _ => optional.then(|| b"null".to_vec()),
        };
        let missing = if *optional {
            null.clone()
        } else {
            fallback(&column.pg_type.kind, &mapping.schema, &mapping.codec)
        };
        let unavailable =
            unavailable(&column.pg_type.kind, &mapping.codec, settings).or_else(|| null.clone());
        Some(Self {
            index,
            field: ConnectField {
                name,
                schema: mapping.schema,
            },
            label,
            header_label,
            codec: mapping.codec,
            header_style: if mapping.logical_time {
                Style::HeaderLogicalTime
            } else {
                Style::Header
            },
            null,
            missing,
            unavailable,
        })
    }
}

/// The columns of a row that stand in events, in the table's order.
pub(super) fn prepared_columns<'a>(
    columns: impl Iterator<Item = (usize, &'a Column)>,
    settings: &ContractSettings,
) -> Vec<PreparedColumn> {
    let mut prepared: Vec<PreparedColumn> = Vec::new();
    for (index, column) in columns {
        prepared.extend(PreparedColumn::new(
            index,
            column,
            prepared.is_empty(),
            settings,
        ));
    }
    prepared
}
