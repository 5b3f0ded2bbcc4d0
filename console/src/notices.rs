use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// What is said about the tables of a query, once a table however often the query reads it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Notices(Arc<Mutex<BTreeMap<String, Vec<String>>>>);

impl Notices {
    /// Replaces what was said about the table.
    pub(crate) fn set(&self, table: &str, said: Vec<String>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(table.to_owned(), said);
    }

    /// Everything that was said; nothing is left of it.
    pub(crate) fn take(&self) -> Vec<String> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *all).into_values().flatten().collect()
    }
}
