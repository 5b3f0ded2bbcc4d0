//! An object store that loses requests or their acknowledgements where it is told to.

use std::{
    fmt,
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, path::Path,
};

/// What happens to a PUT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It never arrives; the caller sees an error.
    Lost,
    /// It is applied; the caller sees an error.
    AnswerLost,
    /// It is applied, the client below retries it and meets its own object: the caller sees 412.
    Retried,
}

#[derive(Debug)]
struct Planned {
    path_contains: String,
    skip: usize,
    times: usize,
    fault: Fault,
}

#[derive(Debug, Clone)]
pub struct FaultyStore {
    inner: Arc<dyn ObjectStore>,
    planned: Arc<Mutex<Vec<Planned>>>,
    unconditional: Arc<AtomicBool>,
}

impl FaultyStore {
    pub fn new(inner: Arc<dyn ObjectStore>) -> Self {
        Self {
            inner,
            planned: Arc::default(),
            unconditional: Arc::default(),
        }
    }

    /// After `skip` PUTs whose path contains the text, `times` of them meet the fault.
    pub fn plan(&self, path_contains: &str, skip: usize, times: usize, fault: Fault) {
        self.lock().push(Planned {
            path_contains: path_contains.to_owned(),
            skip,
            times,
            fault,
        });
    }

    /// From now on a PUT overwrites, whatever its conditions are.
    pub fn ignore_conditions(&self) {
        self.unconditional.store(true, Ordering::Relaxed);
    }

    /// From now on everything works. How many faults were still to come.
    pub fn heal(&self) -> usize {
        std::mem::take(&mut *self.lock())
            .iter()
            .map(|planned| planned.times)
            .sum()
    }

    fn next_fault(&self, path: &Path) -> Option<Fault> {
        let mut planned = self.lock();
        let plan = planned
            .iter_mut()
            .find(|plan| plan.times > 0 && path.as_ref().contains(&plan.path_contains))?;
        if plan.skip > 0 {
            plan.skip -= 1;
            return None;
        }
        plan.times -= 1;
        Some(plan.fault)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Planned>> {
        self.planned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FaultyStore({})", self.inner)
    }
}

fn unreachable_store() -> Error {
    Error::Generic {
        store: "FaultyStore",
        source: "connection reset".into(),
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let opts = if self.unconditional.load(Ordering::Relaxed) {
            PutOptions::default()
        } else {
            opts
        };
        match self.next_fault(location) {
            None => self.inner.put_opts(location, payload, opts).await,
            Some(Fault::Lost) => Err(unreachable_store()),
            Some(Fault::AnswerLost) => {
                self.inner.put_opts(location, payload, opts).await?;
                Err(unreachable_store())
            }
            Some(Fault::Retried) => {
                self.inner
                    .put_opts(location, payload.clone(), opts.clone())
                    .await?;
                self.inner.put_opts(location, payload, opts).await
            }
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
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
        self.inner.copy_opts(from, to, options).await
    }
}
