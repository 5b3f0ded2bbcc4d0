use std::{fmt, str::FromStr};

use crate::{parse::ParseError, world::Dice};

/// How often each operation comes, relative to the others. The default is 80 inserts, 15 updates, 5 deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mix {
    insert: u16,
    update: u16,
    delete: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Insert,
    Update,
    Delete,
}

impl Mix {
    /// Inserts only.
    pub const INSERTS: Self = Self {
        insert: 1,
        update: 0,
        delete: 0,
    };

    pub(crate) const fn inserts(self) -> bool {
        self.insert > 0
    }

    pub(crate) const fn deletes(self) -> bool {
        self.delete > 0
    }

    pub(crate) fn next(self, dice: &mut Dice) -> Operation {
        let (insert, update, delete) = (
            u32::from(self.insert),
            u32::from(self.update),
            u32::from(self.delete),
        );
        let place = dice.below(insert + update + delete);
        if place < insert {
            Operation::Insert
        } else if place < insert + update {
            Operation::Update
        } else {
            Operation::Delete
        }
    }
}

impl Default for Mix {
    fn default() -> Self {
        Self {
            insert: 80,
            update: 15,
            delete: 5,
        }
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "insert={},update={},delete={}",
            self.insert, self.update, self.delete
        )
    }
}

/// Reads `insert=80,update=15,delete=5`; what is not named is 0.
impl FromStr for Mix {
    type Err = ParseError;

    fn from_str(value: &str) -> Result<Self, ParseError> {
        let error = |rule| ParseError::new("a mix", value, rule, "insert=80,update=15,delete=5");
        let rule = "insert, update and delete, each at most once, with a whole number up to 65535";
        let (mut insert, mut update, mut delete) = (None, None, None);
        for part in value.split(',') {
            let (name, number) = part.split_once('=').ok_or_else(|| error(rule))?;
            let number: u16 = number.trim().parse().map_err(|_| error(rule))?;
            let share = match name.trim() {
                "insert" => &mut insert,
                "update" => &mut update,
                "delete" => &mut delete,
                _ => return Err(error(rule)),
            };
            if share.replace(number).is_some() {
                return Err(error(rule));
            }
        }
        let share = |share: Option<u16>| share.unwrap_or(0);
        let mix = Self {
            insert: share(insert),
            update: share(update),
            delete: share(delete),
        };
        if mix.insert == 0 && mix.update == 0 && mix.delete == 0 {
            return Err(error("at least one share must be above 0"));
        }
        Ok(mix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_prints() {
        for value in ["insert=80,update=15,delete=5", "insert=0,update=1,delete=0"] {
            assert_eq!(
                value.parse::<Mix>().map(|mix| mix.to_string()),
                Ok(value.to_owned())
            );
        }
        assert_eq!("insert=1".parse(), Ok(Mix::INSERTS));
    }

    #[test]
    fn refuses_with_rule_and_example() {
        for value in [
            "",
            "insert",
            "insert=x",
            "insert=1,insert=2",
            "upsert=1",
            "insert=0",
            "insert=-1",
        ] {
            let error = value.parse::<Mix>().map_err(|error| error.to_string());
            assert!(
                error
                    .is_err_and(|text| text.contains("for example `insert=80,update=15,delete=5`")),
                "{value}"
            );
        }
    }

    #[test]
    fn shares_come_true() {
        let mut dice = Dice::new(1);
        let inserts = (0..10_000)
            .filter(|_| Mix::default().next(&mut dice) == Operation::Insert)
            .count();
        assert!((7_800..8_200).contains(&inserts), "{inserts}");
    }
}
