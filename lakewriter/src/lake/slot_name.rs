//! `_position/<pipeline>/slot.json`: the name of the slot from which a pipeline without Kafka is read.
//!
//! A lake is the same one however its address is written and wherever its folder is moved to, so the name stands in the
//! lake itself.
//!
//! Invariant: it is put before a slot of that name is made, with `If-None-Match: *`, and never changes. So whoever is killed
//! in between finds his slot again, and of two who begin at the same time one makes none.

use object_store::{ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, path::Path};
use serde::{Deserialize, Serialize};

use super::{Lake, PositionLog, certificate, layout::encode, store::local_folder};
use crate::{DirectPosition, Error, ErrorKind, LakeConfig, error::storage_error};

#[derive(Debug, Serialize, Deserialize)]
struct Named {
    slot: String,
}

/// What a lake tells of the reader of a pipeline. Nothing is made: a folder that is not there tells nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReaderOfLake {
    pub position: Option<DirectPosition>,
    /// The name that was put with [`name_slot`].
    pub slot: Option<String>,
}

/// Ask a lake of the reader of a pipeline.
///
/// # Errors
/// The lake cannot be reached, or holds what is not of this layout.
pub async fn reader_of_lake(config: &LakeConfig, pipeline: &str) -> Result<ReaderOfLake, Error> {
    certificate::check(config).await?;
    // Where nobody may look, opening it tells why.
    let is_missing = |folder: std::path::PathBuf| !folder.try_exists().unwrap_or(true);
    if local_folder(config)?.is_some_and(is_missing) {
        return Ok(ReaderOfLake::default());
    }
    let lake = Lake::connect(config)?;
    let (_, record) = PositionLog::open(&lake, pipeline, "").await?;
    Ok(ReaderOfLake {
        position: record.map(|record| record.position),
        slot: read(&lake, pipeline).await?,
    })
}

/// Put the slot's name into the lake, which is made where it is not there. Says which name it has now: another one where
/// somebody was faster.
///
/// # Errors
/// As [`Lake::open`].
pub async fn name_slot(config: &LakeConfig, pipeline: &str, slot: &str) -> Result<String, Error> {
    let lake = Lake::open(config).await?;
    let key = key(&lake, pipeline);
    let attempted = || format!("put the name of the slot as `{key}`");
    let named = Named {
        slot: slot.to_owned(),
    };
    let bytes = serde_json::to_vec(&named)
        .map_err(|error| Error::new(ErrorKind::Encode, attempted()).with_source(error))?;
    let put = lake
        .store()
        .put_opts(&key, bytes.into(), PutOptions::from(PutMode::Create))
        .await;
    match put {
        Ok(_) => Ok(slot.to_owned()),
        Err(
            object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. },
        ) => read(&lake, pipeline).await?.ok_or_else(|| {
            Error::new(ErrorKind::Storage, attempted())
                .with_source("it is there and cannot be found")
        }),
        Err(error) => Err(storage_error(attempted(), error)),
    }
}

async fn read(lake: &Lake, pipeline: &str) -> Result<Option<String>, Error> {
    let key = key(lake, pipeline);
    let attempted = || format!("read the name of the slot in `{key}`");
    let found = match lake.store().get(&key).await {
        Ok(found) => found.bytes().await,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(error) => Err(error),
    };
    let bytes = found.map_err(|error| storage_error(attempted(), error))?;
    let named: Named = serde_json::from_slice(&bytes).map_err(|error| {
        Error::new(ErrorKind::Table, attempted())
            .with_source(error)
            .with_hint("name the slot with --slot (mirror.slot)")
    })?;
    Ok(Some(named.slot))
}

fn key(lake: &Lake, pipeline: &str) -> Path {
    lake.path(&format!("_position/{}/slot.json", encode(pipeline)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_put_once_and_moves_with_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str| LakeConfig::new(folder.path().join(name).to_str().unwrap());
        let lake = of("a");
        let nothing = reader_of_lake(&lake, "shop").await.unwrap();
        assert_eq!(nothing, ReaderOfLake::default());
        assert!(!folder.path().join("a").exists(), "a look made a folder");
        for name in ["one", "two"] {
            assert_eq!(name_slot(&lake, "shop", name).await.unwrap(), "one");
        }
        assert_eq!(name_slot(&lake, "other", "two").await.unwrap(), "two");
        std::fs::rename(folder.path().join("a"), folder.path().join("b")).unwrap();
        let slashed = LakeConfig::new(format!("file://{}/b/", folder.path().display()));
        for lake in [of("b"), slashed] {
            let found = reader_of_lake(&lake, "shop").await.unwrap();
            assert_eq!(found.slot.as_deref(), Some("one"));
            assert_eq!(found.position, None);
        }
    }
}
