//! The types of `pg_type` that columns are made of, resolved to what events know: domains to their base, arrays to
//! their elements.
//!
//! A type that the catalog no longer has is `Unknown`, and its values are text. No column is left out for it.

use std::collections::HashMap;

use debezium::{PgType, PgTypeKind};

/// A row of `pg_type`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TypeEntry {
    pub name: String,
    pub is_domain: bool,
    pub is_composite: bool,
    pub is_enum: bool,
    /// Of a domain: what it is made from.
    pub base: u32,
    /// Of a domain: the modifier of its base type. Of `money`: the digits behind the point. -1 otherwise.
    pub modifier: i32,
    /// Of a true array type: its element; 0 otherwise.
    pub element: u32,
    /// Of an enum, in sort order.
    pub labels: Vec<String>,
    /// Of an enum, those that its arrays list, where they are others.
    pub array_labels: Option<Vec<String>>,
}

/// The types that a table's columns are made of.
#[derive(Debug, Clone, Default)]
pub struct TypeCatalog {
    entries: HashMap<u32, TypeEntry>,
}

/// A domain over a domain over .. ends here: the catalog has no cycles, but its rows are read, not trusted.
const MAX_DEPTH: u8 = 32;

/// `FirstNormalObjectId`: what users make has this OID or a later one.
pub(super) const FIRST_OID_OF_USERS: u32 = 16_384;

impl TypeCatalog {
    pub fn new(entries: HashMap<u32, TypeEntry>) -> Self {
        Self { entries }
    }

    /// The column type `oid` with `modifier`, domains resolved. A type that the catalog no longer has is `Unknown`.
    pub fn pg_type(&self, oid: u32, modifier: i32) -> PgType {
        self.resolve(oid, modifier, MAX_DEPTH)
    }

    /// What a domain is made from in the end; any other type is that itself.
    pub fn base(&self, oid: u32) -> u32 {
        let mut base = oid;
        for _ in 0..MAX_DEPTH {
            match self.entries.get(&base) {
                Some(entry) if entry.is_domain => base = entry.base,
                _ => break,
            }
        }
        base
    }

    /// Whether the catalog has the type.
    pub fn has(&self, oid: u32) -> bool {
        self.entries.contains_key(&oid)
    }

    /// The type of PostgreSQL itself that has this name, of those that were asked for.
    pub fn built_in(&self, name: &str) -> Option<u32> {
        let mut entries = self.entries.iter();
        entries
            .find(|(oid, entry)| **oid < FIRST_OID_OF_USERS && entry.name == name)
            .map(|(oid, _)| *oid)
    }

    /// Whether the type is a domain, whatever its base.
    pub fn is_domain(&self, oid: u32) -> bool {
        self.entries.get(&oid).is_some_and(|entry| entry.is_domain)
    }

    fn resolve(&self, oid: u32, modifier: i32, depth: u8) -> PgType {
        let unknown = |name: &str, modifier| PgType {
            oid,
            name: name.to_owned(),
            modifier,
            kind: PgTypeKind::Unknown,
        };
        let Some(entry) = self.entries.get(&oid) else {
            // Built-in scalars need no catalog.
            let kind = PgTypeKind::of_oid(oid, modifier).unwrap_or(PgTypeKind::Unknown);
            return PgType {
                kind,
                ..unknown("", modifier)
            };
        };
        if depth == 0 {
            return unknown(&entry.name, modifier);
        }
        if entry.is_domain {
            let modifier = if entry.modifier >= 0 {
                entry.modifier
            } else {
                modifier
            };
            let base = self.resolve(entry.base, modifier, depth - 1);
            return PgType {
                oid,
                name: entry.name.clone(),
                modifier: base.modifier,
                kind: base.kind,
            };
        }
        let kind = if entry.element != 0 {
            let element = match self.entries.get(&entry.element) {
                Some(inner) if inner.is_domain || inner.is_composite => PgType {
                    oid: entry.element,
                    ..unknown(&inner.name, modifier)
                },
                inner => {
                    let mut element = self.resolve(entry.element, modifier, depth - 1);
                    if let PgTypeKind::Enum { labels } = &mut element.kind
                        && let Some(listed) = inner.and_then(|inner| inner.array_labels.as_ref())
                    {
                        labels.clone_from(listed);
                    }
                    element
                }
            };
            PgTypeKind::Array {
                element: Box::new(element),
            }
        } else if entry.is_enum {
            PgTypeKind::Enum {
                labels: entry.labels.clone(),
            }
        } else {
            PgTypeKind::of_oid(oid, modifier)
                .or_else(|| PgTypeKind::of_extension(&entry.name))
                .unwrap_or(PgTypeKind::Unknown)
        };
        let modifier = if kind == PgTypeKind::Money {
            entry.modifier
        } else {
            modifier
        };
        PgType {
            oid,
            name: entry.name.clone(),
            modifier,
            kind,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog() -> TypeCatalog {
        let entry = |name: &str| TypeEntry {
            name: name.to_owned(),
            modifier: -1,
            ..TypeEntry::default()
        };
        let domain = |name: &str, base, modifier| TypeEntry {
            is_domain: true,
            base,
            modifier,
            ..entry(name)
        };
        let array = |name: &str, element| TypeEntry {
            element,
            ..entry(name)
        };
        TypeCatalog::new(HashMap::from([
            (1700, entry("numeric")),
            (1231, array("_numeric", 1700)),
            (20, entry("int8")),
            (90_001, domain("price", 1700, ((10 << 16) | 2) + 4)),
            (90_002, domain("price2", 90_001, -1)),
            (90_003, array("_price", 90_001)),
            (90_004, domain("prices", 1231, ((6 << 16) | 1) + 4)),
            (90_005, entry("hstore")),
            (90_006, domain("endless", 90_006, -1)),
        ]))
    }

    #[test]
    fn modifiers_carry_precision_scale_and_length() {
        let types = TypeCatalog::default();
        for (oid, modifier, want) in [
            (1700, -1, PgTypeKind::UnconstrainedNumeric),
            (
                1700,
                ((12 << 16) | 3) + 4,
                PgTypeKind::Numeric {
                    precision: 12,
                    scale: 3,
                },
            ),
            (
                1700,
                ((5 << 16) | (-2 & 0x7ff)) + 4,
                PgTypeKind::Numeric {
                    precision: 5,
                    scale: -2,
                },
            ),
            (1184, -1, PgTypeKind::TimestampTz { precision: 6 }),
            (1184, 3, PgTypeKind::TimestampTz { precision: 3 }),
            (1560, 5, PgTypeKind::Bit { length: 5 }),
            (1562, -1, PgTypeKind::Varbit { length: None }),
            (424_242, -1, PgTypeKind::Unknown),
        ] {
            assert_eq!(types.pg_type(oid, modifier).kind, want, "{oid} {modifier}");
        }
    }

    #[test]
    fn domains_keep_their_name_and_take_their_base() {
        let types = catalog();
        let price = types.pg_type(90_002, -1);
        assert_eq!((price.oid, price.name.as_str()), (90_002, "price2"));
        assert_eq!(
            price.kind,
            PgTypeKind::Numeric {
                precision: 10,
                scale: 2
            }
        );
        let prices = types.pg_type(90_004, -1);
        assert!(matches!(prices.kind, PgTypeKind::Array { element }
            if element.kind == PgTypeKind::Numeric { precision: 6, scale: 1 }));
        assert_eq!(types.pg_type(90_006, -1).kind, PgTypeKind::Unknown);
    }

    #[test]
    fn arrays_of_domains_are_unknown_and_extensions_go_by_name() {
        let types = catalog();
        assert!(
            matches!(types.pg_type(90_003, -1).kind, PgTypeKind::Array { element }
            if element.kind == PgTypeKind::Unknown && element.oid == 90_001)
        );
        assert_eq!(types.pg_type(90_005, -1).kind, PgTypeKind::Hstore);
    }
}
