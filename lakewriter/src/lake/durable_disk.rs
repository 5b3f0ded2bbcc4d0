//! A local disk whose PUT returns when the object would survive a power failure.
//!
//! object_store writes a temporary file and renames it, which survives the death of the process; what the operating
//! system still holds in memory would be lost with the power, after PostgreSQL was told that it may forget it.

use std::{
    collections::HashSet,
    fmt,
    fs::File,
    io,
    ops::Range,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
    local::LocalFileSystem, path::Path,
};

/// Folders of the local disk, written through to the medium.
#[derive(Debug)]
pub(super) struct DurableDisk {
    inner: LocalFileSystem,
    /// Folders whose own entry in their parents is on the medium.
    durable_folders: Arc<Mutex<HashSet<PathBuf>>>,
}

impl DurableDisk {
    pub(super) fn new() -> Self {
        Self {
            inner: LocalFileSystem::new(),
            durable_folders: Arc::default(),
        }
    }

    async fn sync(&self, location: &Path) -> Result<()> {
        let file = self.inner.path_to_filesystem(location)?;
        sync(file, Arc::clone(&self.durable_folders)).await
    }
}

/// The file, its entry in its folder, and for a new folder the entries above it.
fn sync_file(file: &std::path::Path, durable: &Mutex<HashSet<PathBuf>>) -> io::Result<()> {
    File::open(file)?.sync_all()?;
    for (level, folder) in file.ancestors().skip(1).enumerate() {
        let known = durable
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(folder);
        if known && level > 0 {
            break;
        }
        match File::open(folder).and_then(|folder| folder.sync_all()) {
            Ok(()) => {}
            // Folders above the lake may belong to others; they were there before it.
            Err(_) if level > 0 => break,
            Err(error) => return Err(error),
        }
        if known {
            break;
        }
        durable
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(folder.to_owned());
    }
    Ok(())
}

impl fmt::Display for DurableDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DurableDisk({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for DurableDisk {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let put = self.inner.put_opts(location, payload, opts).await?;
        self.sync(location).await?;
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        // What is written in parts, such as a large checkpoint, must be on the medium before anything names it.
        Ok(Box::new(DurableUpload {
            inner: self.inner.put_multipart_opts(location, opts).await?,
            file: self.inner.path_to_filesystem(location)?,
            durable_folders: Arc::clone(&self.durable_folders),
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await?;
        self.sync(to).await
    }
}

/// An upload in parts that is on the medium when it is complete.
#[derive(Debug)]
struct DurableUpload {
    inner: Box<dyn MultipartUpload>,
    file: PathBuf,
    durable_folders: Arc<Mutex<HashSet<PathBuf>>>,
}

#[async_trait]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let put = self.inner.complete().await?;
        sync(self.file.clone(), Arc::clone(&self.durable_folders)).await?;
        Ok(put)
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}

async fn sync(file: PathBuf, durable: Arc<Mutex<HashSet<PathBuf>>>) -> Result<()> {
    let synced = tokio::task::spawn_blocking(move || sync_file(&file, &durable)).await;
    synced
        .unwrap_or_else(|error| Err(io::Error::other(error)))
        .map_err(|error| Error::Generic {
            store: "DurableDisk",
            source: Box::new(error),
        })
}

#[cfg(test)]
mod tests {
    use object_store::{ObjectStoreExt, PutMode};

    use super::*;

    #[tokio::test]
    async fn keeps_the_promises_of_a_store() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = Path::from_absolute_path(folder.path()).expect("an absolute path");
        let disk = DurableDisk::new();
        let object = root.clone().join("new").join("folders").join("object");
        let create = PutOptions::from(PutMode::Create);
        disk.put_opts(&object, "first".into(), create.clone())
            .await
            .expect("a new object");
        let second = disk.put_opts(&object, "second".into(), create).await;
        assert!(
            matches!(second, Err(Error::AlreadyExists { .. })),
            "{second:?}"
        );
        let read = disk.get(&object).await.expect("the object");
        assert_eq!(read.bytes().await.expect("its bytes"), "first");
        let folders = disk.durable_folders.lock().expect("nobody panicked");
        assert!(folders.contains(&folder.path().join("new").join("folders")));
        assert!(folders.contains(folder.path()));
    }

    #[tokio::test]
    async fn an_upload_in_parts_is_on_the_medium_when_it_is_complete() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = Path::from_absolute_path(folder.path()).expect("an absolute path");
        let disk = DurableDisk::new();
        let object = root.clone().join("log").join("checkpoint");
        let mut upload = disk.put_multipart(&object).await.expect("an upload");
        upload.put_part("one ".into()).await.expect("a part");
        upload.put_part("two".into()).await.expect("a part");
        let is_durable = |disk: &DurableDisk| {
            let folders = disk.durable_folders.lock().expect("nobody panicked");
            folders.contains(&folder.path().join("log"))
        };
        assert!(!is_durable(&disk));
        upload.complete().await.expect("complete");
        assert!(is_durable(&disk));
        let read = disk.get(&object).await.expect("the object");
        assert_eq!(read.bytes().await.expect("its bytes"), "one two");
        let copy = root.clone().join("other").join("copy");
        disk.copy(&object, &copy).await.expect("a copy");
        let folders = disk.durable_folders.lock().expect("nobody panicked");
        assert!(folders.contains(&folder.path().join("other")));
    }
}
