//! What is known of the changes that `current` is made of: enough to tell whether later ones can be folded into it.

use std::collections::HashMap;

use console::RowKey;
use debezium::Operation;
use lakewriter::lake::Since;

pub use console::Progress;

/// The last change of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Last {
    pub(crate) position: Since,
    pub(crate) operation: Operation,
    /// Values were taken from the row before.
    pub(crate) is_partial: bool,
    /// In its transaction a row may have come to the key while another one had it. Which one a later change of the same
    /// transaction is about depends on both.
    pub(crate) is_doubled: bool,
}

/// Keys by their last changes: of all that stand behind the floor.
#[derive(Debug)]
pub(crate) struct Recent {
    floor: (i64, i64),
    last: HashMap<RowKey, Last>,
    /// A TRUNCATE behind the floor.
    truncated: Option<Since>,
}

/// More keys than these are forgotten, and read again from the log if a late change asks.
const MOST_KEYS: usize = 200_000;

impl Recent {
    /// Nothing stands behind `through`.
    pub(crate) fn behind(through: Since) -> Self {
        Self {
            floor: (through.0, through.1),
            last: HashMap::new(),
            truncated: None,
        }
    }

    /// Whether all folded changes of this LSN or later ones are known.
    pub(crate) fn reaches(&self, position: Since) -> bool {
        (position.0, position.1) > self.floor
    }

    /// All folded changes from `from` on are told next.
    pub(crate) fn lower(&mut self, from: Since) {
        *self = Self {
            floor: (from.0, from.1.saturating_sub(1)),
            last: HashMap::new(),
            truncated: None,
        };
    }

    pub(crate) fn last(&self, key: &RowKey) -> Option<&Last> {
        self.last.get(key)
    }

    pub(crate) fn truncated(&self) -> Option<Since> {
        self.truncated
    }

    /// A folded change: they are told in the order of their positions. `was_there`: its key had a row before; unknown
    /// where the change was read from the log.
    pub(crate) fn tell(
        &mut self,
        key: &RowKey,
        position: Since,
        operation: Operation,
        is_partial: bool,
        was_there: Option<bool>,
    ) {
        if operation == Operation::Truncate {
            self.truncated = self.truncated.max(Some(position));
            return;
        }
        let before = self.last.get(key);
        let same_transaction =
            before.filter(|last| (last.position.0, last.position.1) == (position.0, position.1));
        let comes = operation == Operation::Create && was_there.unwrap_or(true);
        let is_doubled = comes || same_transaction.is_some_and(|last| last.is_doubled);
        let last = Last {
            position,
            operation,
            is_partial,
            is_doubled,
        };
        self.last.insert(key.clone(), last);
    }

    /// Forgets what is more than can be kept. `through`: the last folded position.
    pub(crate) fn bound(&mut self, through: Since) {
        if self.last.len() > MOST_KEYS {
            *self = Self::behind(through);
        }
    }
}
