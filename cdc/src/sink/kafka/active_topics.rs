use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// The topics a connector has written to since they were last forgotten (`GET /connectors/{name}/topics`).
#[derive(Debug, Clone, Default)]
pub struct ActiveTopics(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    topics: Mutex<Topics>,
    added: Notify,
}

#[derive(Debug, Default)]
struct Topics {
    all: BTreeSet<String>,
    /// Of them those that `added` has not given away yet.
    new: Vec<String>,
}

impl ActiveTopics {
    fn lock(&self) -> MutexGuard<'_, Topics> {
        self.0.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn add(&self, topic: &str) {
        let mut topics = self.lock();
        if !topics.all.contains(topic) {
            topics.all.insert(topic.to_owned());
            topics.new.push(topic.to_owned());
            self.0.added.notify_one();
        }
    }

    /// Those of an earlier run.
    pub fn restore(&self, topics: impl IntoIterator<Item = String>) {
        self.lock().all.extend(topics);
    }

    pub fn list(&self) -> Vec<String> {
        self.lock().all.iter().cloned().collect()
    }

    /// Forget all; answers which.
    pub fn forget(&self) -> Vec<String> {
        let mut topics = self.lock();
        topics.new.clear();
        std::mem::take(&mut topics.all).into_iter().collect()
    }

    /// Wait for topics that were not there before.
    pub async fn added(&self) -> Vec<String> {
        loop {
            let new = std::mem::take(&mut self.lock().new);
            if !new.is_empty() {
                return new;
            }
            self.0.added.notified().await;
        }
    }
}
