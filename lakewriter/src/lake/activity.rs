//! Which tables were written since somebody last asked.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Commits by the folder of their table, counted where they are made.
#[derive(Debug, Default)]
pub(crate) struct CommitActivity(Mutex<HashMap<String, u32>>);

impl CommitActivity {
    pub(crate) fn count(&self, relative: &str) {
        let mut commits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match commits.get_mut(relative) {
            Some(count) => *count = count.saturating_add(1),
            None => {
                commits.insert(relative.to_owned(), 1);
            }
        }
    }

    /// The tables that have at least so many commits; their counts begin anew.
    pub(crate) fn take(&self, at_least: u32) -> Vec<String> {
        let mut commits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut busy: Vec<String> = commits
            .iter()
            .filter(|(_, count)| **count >= at_least)
            .map(|(relative, _)| relative.clone())
            .collect();
        busy.sort();
        for relative in &busy {
            commits.remove(relative);
        }
        busy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_tables_are_told_once() {
        let activity = CommitActivity::default();
        for table in ["a", "b", "a", "a"] {
            activity.count(table);
        }
        assert_eq!(activity.take(3), ["a"]);
        assert_eq!(activity.take(3), Vec::<String>::new());
        assert_eq!(activity.take(1), ["b"]);
    }
}
