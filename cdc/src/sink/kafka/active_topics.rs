use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

/// The topics a connector has written to since they were last forgotten (`GET /connectors/{name}/topics`).
#[derive(Debug, Clone, Default)]
pub struct ActiveTopics(Arc<Mutex<BTreeSet<String>>>);

impl ActiveTopics {
    pub fn add(&self, topic: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(topic.to_owned());
    }

    pub fn list(&self) -> Vec<String> {
        let topics = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        topics.iter().cloned().collect()
    }

    pub fn forget(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}
