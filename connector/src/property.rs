//! Every property that is known by name: what becomes of it, its type, its default, and what Kafka Connect's forms show of
//! it. The table is `properties.txt`; parser, REST forms, validation and the pages in `docs` take everything from there.

use std::{fmt, sync::LazyLock};

/// What happens to a property that is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handling {
    /// Read by `ConnectorConfig::parse`.
    Used,
    /// Accepted without effect, for this reason.
    Ignored(&'static str),
    /// Refused unless it has the value that changes nothing: ignoring it would change what is written.
    Refused {
        neutral: Vec<&'static str>,
        reason: &'static str,
    },
}

/// As the references in `docs` say it.
impl fmt::Display for Handling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Used => f.write_str("used"),
            Self::Ignored(reason) => write!(f, "accepted without effect: {reason}"),
            Self::Refused { neutral, reason } if neutral.is_empty() => {
                write!(f, "refused: {reason}")
            }
            Self::Refused { neutral, reason } => {
                write!(f, "refused unless `{}`: {reason}", neutral.join("` or `"))
            }
        }
    }
}

/// The type of a property's values, as Kafka Connect names it (`ConfigDef.Type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    String,
    Int,
    Long,
    Boolean,
    List,
    Class,
    Password,
}

impl ValueType {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "STRING" => Self::String,
            "INT" => Self::Int,
            "LONG" => Self::Long,
            "BOOLEAN" => Self::Boolean,
            "LIST" => Self::List,
            "CLASS" => Self::Class,
            "PASSWORD" => Self::Password,
            _ => return None,
        })
    }

    /// As it stands in answers of Kafka Connect.
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "STRING",
            Self::Int => "INT",
            Self::Long => "LONG",
            Self::Boolean => "BOOLEAN",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }
}

/// Where and how a form shows a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    pub importance: &'static str,
    pub group: &'static str,
    pub width: &'static str,
    /// In its group, from 1.
    pub order: u32,
    pub display_name: &'static str,
    /// Values that it offers.
    pub recommended: Vec<&'static str>,
}

/// A row of the table. A name that ends in `*` stands for all names with that beginning; one that begins with
/// `*.converter.` for the same of `key.converter.`, `value.converter.` and `header.converter.`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    pub name: &'static str,
    /// None of a row of a form whose handling the row of a beginning tells.
    pub handling: Option<Handling>,
    /// None of what is not read.
    pub value_type: Option<ValueType>,
    /// `ms`, `s` or `bytes`, of numbers that have one.
    pub unit: Option<&'static str>,
    /// What an absent property means.
    pub default: Option<&'static str>,
    /// None of what no form shows.
    pub form: Option<Form>,
    /// What it is for. Empty of what is not read.
    pub sentence: &'static str,
}

const TABLE: &str = include_str!("properties.txt");

static PROPERTIES: LazyLock<Vec<Property>> =
    LazyLock::new(|| rows().filter_map(Property::read).collect());

fn rows() -> impl Iterator<Item = &'static str> {
    TABLE.lines().filter(|line| !line.starts_with('#'))
}

/// All rows. Those that a form shows come first, in its order.
pub fn properties() -> &'static [Property] {
    &PROPERTIES
}

/// All rows that tell what becomes of a property.
pub fn known() -> impl Iterator<Item = (&'static Property, &'static Handling)> {
    let with_handling = |property: &'static Property| Some((property, property.handling.as_ref()?));
    properties().iter().filter_map(with_handling)
}

impl Property {
    /// None where the row does not have all cells, or one has none of its values.
    fn read(row: &'static str) -> Option<Self> {
        let mut cells = row.split(" | ");
        let mut cell = || cells.next().map(str::trim);
        let mut optional = || cell().map(|text| Some(text).filter(|text| *text != "-"));
        let name = optional()??;
        let handling = match optional()? {
            Some(text) => Some(Handling::read(text)?),
            None => None,
        };
        let value_type = match optional()? {
            Some(text) => Some(ValueType::named(text)?),
            None => None,
        };
        let unit = optional()?;
        let default = optional()?.map(|text| if text == "''" { "" } else { text });
        let recommended = optional()?;
        let importance = optional()?;
        let group = optional()?;
        let width = optional()?;
        let order = optional()?;
        let display_name = optional()?;
        let form = match group {
            Some(group) => Some(Form {
                importance: importance?,
                group,
                width: width?,
                order: order?.parse().ok()?,
                display_name: display_name?,
                recommended: recommended.map_or_else(Vec::new, |list| list.split(',').collect()),
            }),
            None => None,
        };
        Some(Self {
            name,
            handling,
            value_type,
            unit,
            default,
            form,
            sentence: optional()?.unwrap_or_default(),
        })
    }
}

impl Handling {
    fn read(text: &'static str) -> Option<Self> {
        let (what, reason) = match text.split_once(": ") {
            None if text == "used" => return Some(Self::Used),
            None => return None,
            Some(parts) => parts,
        };
        if what == "ignored" {
            return Some(Self::Ignored(reason));
        }
        let neutral = match what.strip_prefix("refused")? {
            "" => Vec::new(),
            values => values.strip_prefix(" unless ")?.split(',').collect(),
        };
        Some(Self::Refused { neutral, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read() {
        for row in rows() {
            assert!(Property::read(row).is_some(), "{row}");
        }
        let in_form = properties().iter().map(|property| property.form.is_some());
        assert!(in_form.is_sorted_by(|before, after| before >= after));
    }

    #[test]
    fn what_is_read_has_a_type_and_a_sentence() {
        for (property, handling) in known() {
            let is_read = *handling == Handling::Used;
            assert!(
                !is_read || property.value_type.is_some() && !property.sentence.is_empty(),
                "{property:?}"
            );
        }
    }

    #[test]
    fn numbers_with_a_unit_in_their_name_have_it_in_the_table() {
        for property in properties() {
            let unit = match property.name {
                name if name.ends_with(".ms") => Some("ms"),
                name if name.ends_with(".bytes") => Some("bytes"),
                _ => continue,
            };
            let is_number = matches!(property.value_type, Some(ValueType::Int | ValueType::Long));
            assert!(!is_number || property.unit == unit, "{property:?}");
        }
    }
}
