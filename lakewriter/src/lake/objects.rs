//! Files of a table that no reader sees until a commit names them.

use bytes::Bytes;
use object_store::{ObjectStoreExt as _, PutPayload};

use super::Lake;
use crate::{Error, error::storage_error};

/// Upload a file to a table's folder. The path must be one that nobody has used before.
///
/// # Errors
/// The store's.
pub async fn upload(lake: &Lake, relative: &str, path: &str, bytes: Bytes) -> Result<(), Error> {
    let key = lake.path(&format!("{relative}/{path}"));
    lake.store()
        .put(&key, PutPayload::from(bytes))
        .await
        .map(drop)
        .map_err(|error| storage_error(format!("upload `{key}`"), error))
}

/// A whole file of a table's folder.
///
/// # Errors
/// The store's.
pub async fn read_object(lake: &Lake, relative: &str, path: &str) -> Result<Bytes, Error> {
    let key = lake.path(&format!("{relative}/{path}"));
    let attempted = || format!("read `{key}`");
    let found = lake.store().get(&key).await;
    let found = found.map_err(|error| storage_error(attempted(), error))?;
    found
        .bytes()
        .await
        .map_err(|error| storage_error(attempted(), error))
}
