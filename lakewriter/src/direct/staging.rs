//! Uploads that run ahead of their commit, and the order of commits.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{Mutex, Notify, OwnedMutexGuard};

/// Memory of the rows that are being encoded and uploaded.
#[derive(Debug, Default)]
pub(super) struct Staging {
    bytes: Arc<AtomicUsize>,
    running: Arc<AtomicUsize>,
    freed: Arc<Notify>,
    order: Arc<Mutex<()>>,
}

/// Bytes of one upload; given back when it is dropped, however the upload ended.
#[derive(Debug)]
pub(super) struct StagingBytes {
    bytes: usize,
    total: Arc<AtomicUsize>,
    running: Arc<AtomicUsize>,
    freed: Arc<Notify>,
}

impl Drop for StagingBytes {
    fn drop(&mut self) {
        self.total.fetch_sub(self.bytes, Ordering::Relaxed);
        self.running.fetch_sub(1, Ordering::Relaxed);
        self.freed.notify_waiters();
    }
}

impl Staging {
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn hold(&self, bytes: usize) -> StagingBytes {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.running.fetch_add(1, Ordering::Relaxed);
        StagingBytes {
            bytes,
            total: Arc::clone(&self.bytes),
            running: Arc::clone(&self.running),
            freed: Arc::clone(&self.freed),
        }
    }

    /// Until less than `limit` bytes are held, or nothing more can be given back.
    pub(super) async fn wait_below(&self, limit: usize) {
        loop {
            let freed = self.freed.notified();
            if self.bytes() < limit || self.running.load(Ordering::Relaxed) == 0 {
                return;
            }
            freed.await;
        }
    }

    /// A place in the order of commits. Tokio's mutex is fair: whoever asks first gets it first.
    pub(super) fn turn(&self) -> impl Future<Output = OwnedMutexGuard<()>> + Send + 'static {
        let mut waiting = Box::pin(Arc::clone(&self.order).lock_owned());
        // The first poll takes the place in the queue; it happens here, in the order of the calls.
        let ready = futures::FutureExt::now_or_never(&mut waiting);
        async move {
            match ready {
                Some(guard) => guard,
                None => waiting.await,
            }
        }
    }
}
