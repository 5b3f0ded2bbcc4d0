//! Exactly-once stands on one promise of the store: a PUT with `If-None-Match: *` onto an existing key is refused.
//! Some servers ignore the header, so the promise is tested each time a writer starts.

use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, path::Path};
use uuid::Uuid;

use crate::{Error, ErrorKind, error::storage_error};

/// A key that nobody has.
pub(super) fn fresh_key() -> String {
    format!("_probe-{}", Uuid::new_v4().simple())
}

/// PUT a fresh key twice; the second must be refused.
pub(super) async fn conditional_put(store: &dyn ObjectStore, key: &Path) -> Result<(), Error> {
    let attempted = || format!("test conditional PUT on `{key}`");
    let create = PutOptions::from(PutMode::Create);
    store
        .put_opts(key, "first".into(), create.clone())
        .await
        .map_err(|error| storage_error(attempted(), error))?;
    let second = store.put_opts(key, "second".into(), create).await;
    // The probe's key is nobody's data: failing to remove it is no reason not to start.
    if let Err(error) = store.delete(key).await {
        tracing::debug!(%error, %key, "the probe's key stays behind");
    }
    match second {
        Err(
            object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. },
        ) => Ok(()),
        Ok(_) => Err(Error::new(
            ErrorKind::UnsafeStore,
            format!(
                "{}: the store overwrote an object that `If-None-Match: *` protects",
                attempted()
            ),
        )),
        Err(error) => Err(storage_error(attempted(), error)),
    }
}
