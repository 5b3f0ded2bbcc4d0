use std::sync::Arc;

use debezium::ConnectSchema;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    Error,
    error::{defect, unfinished},
    kafka::{RecordBatch, Target},
    registry::{RegisteredIds, SchemaRegistries, Subjects},
};

/// Whose records a schema describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RouteId {
    /// A version of a table, by its index.
    Table(usize),
    Heartbeat,
    Message,
    Transaction,
}

/// A route and the ids of its schemas.
pub(super) type Registered = (RouteId, RegisteredIds);

/// Avro schemas on their way to the registries. Records of their routes wait in the open batch meanwhile, with zeros
/// where their ids will stand: nothing but delivery waits for a registry.
#[derive(Debug)]
pub(super) struct Registration {
    registries: SchemaRegistries,
    /// Routes whose schemas were not asked for yet.
    waiting: Vec<(RouteId, Subjects)>,
    running: Option<AbortOnDropHandle<Result<Vec<Registered>, RefusedSchema>>>,
}

/// A registry did not take a schema.
#[derive(Debug)]
pub(super) struct RefusedSchema {
    /// Whose records wait for it; None where it is not known.
    pub(super) route: Option<RouteId>,
    pub(super) error: Error,
}

impl Registration {
    pub(super) fn new(registries: SchemaRegistries) -> Self {
        Self {
            registries,
            waiting: Vec::new(),
            running: None,
        }
    }

    /// A new route writes records of these schemas to a topic; whether its ids have to be waited for. Must be called
    /// within the runtime.
    ///
    /// # Errors
    /// A schema has a name that Avro does not allow.
    pub(super) fn add(
        &mut self,
        route: RouteId,
        topic: &str,
        key: Option<&ConnectSchema>,
        value: &ConnectSchema,
    ) -> Result<bool, Error> {
        let subjects = self.registries.subjects(topic, key, value)?;
        if !subjects.is_empty() {
            self.waiting.push((route, subjects));
            self.start();
            return Ok(true);
        }
        Ok(false)
    }

    /// Nothing of the open batch may be sent yet.
    pub(super) fn is_open(&self) -> bool {
        !self.waiting.is_empty() || self.running.is_some()
    }

    fn start(&mut self) {
        if self.running.is_some() || self.waiting.is_empty() {
            return;
        }
        let (registries, waiting) = (self.registries.clone(), std::mem::take(&mut self.waiting));
        self.running = Some(AbortOnDropHandle::new(tokio::spawn(async move {
            let mut registered = Vec::with_capacity(waiting.len());
            for (route, subjects) in &waiting {
                let ids = registries.ids(subjects).await;
                let ids = ids.map_err(|error| RefusedSchema {
                    route: Some(*route),
                    error,
                })?;
                registered.push((*route, ids));
            }
            Ok(registered)
        })));
    }

    /// The ids of some of the routes. Cancel-safe; pending while nothing is under way.
    pub(super) async fn registered(&mut self) -> Result<Vec<Registered>, RefusedSchema> {
        let Some(running) = &mut self.running else {
            return std::future::pending().await;
        };
        let answer = running.await;
        self.running = None;
        let registered = answer.map_err(|error| RefusedSchema {
            route: None,
            error: unfinished("register Avro schemas", error),
        })?;
        self.start();
        registered
    }
}

/// Puts the ids into those records of a batch that go to `target`.
///
/// # Errors
/// A record has no room for one: it would be sent with the id 0.
pub(super) fn set_ids(
    batch: &mut RecordBatch,
    target: &Arc<Target>,
    ids: RegisteredIds,
) -> Result<(), Error> {
    for record in &batch.records {
        if !Arc::ptr_eq(&record.target, target) {
            continue;
        }
        for (range, id) in [(&record.key, ids.key), (&record.value, ids.value)] {
            // Only Avro has an id, and there 0 is none.
            let Some(range) = range.as_ref().filter(|_| id > 0) else {
                continue;
            };
            let end = range.start + 5;
            let slot = batch
                .bytes
                .get_mut(range.start + 1..end)
                .filter(|_| end <= range.end);
            let slot = slot.ok_or_else(|| {
                defect(
                    "what is Avro begins with the id of its schema",
                    format!("bytes {range:?}"),
                )
            })?;
            slot.copy_from_slice(&id.to_be_bytes());
        }
    }
    Ok(())
}
