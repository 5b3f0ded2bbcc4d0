//! The thread that takes a producer's delivery reports.
//!
//! Invariant: it polls while a record is without a report, and sleeps otherwise. A client that is polled without end spins
//! through the last millisecond of each turn, which alone cost an idle connector a fifth of a percent of a core.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use rdkafka::producer::BaseProducer;

use crate::kafka::delivery::DeliveryContext;

/// How long one turn waits for reports; a stop waits for it at most so long.
const TURN: Duration = Duration::from_millis(500);
/// How often an idle producer is polled all the same, for what it has to log.
const IDLE: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
struct Shared {
    sent: AtomicU64,
    sleeps: AtomicBool,
    stop: AtomicBool,
}

/// Polls until it is dropped.
#[derive(Debug)]
pub(super) struct Poller {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Poller {
    pub(super) fn start(
        producer: &Arc<BaseProducer<DeliveryContext>>,
        context: &DeliveryContext,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let thread = std::thread::Builder::new()
            .name("producer-poll".to_owned())
            .spawn({
                let (producer, context, shared) =
                    (Arc::clone(producer), context.clone(), Arc::clone(&shared));
                move || poll(&producer, &context, &shared)
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// So many records have been sent since the start.
    pub(super) fn sent(&self, count: u64) {
        // In one order with the thread's store and load: either it sees this record, or this sees that it sleeps.
        self.shared.sent.store(count, Ordering::SeqCst);
        if self.shared.sleeps.load(Ordering::SeqCst) {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // It never panics on its own; what it polls is released here.
            let _ = thread.join();
        }
    }
}

fn poll(producer: &BaseProducer<DeliveryContext>, context: &DeliveryContext, shared: &Shared) {
    let waits = || context.deliveries.reported() < shared.sent.load(Ordering::SeqCst);
    while !shared.stop.load(Ordering::SeqCst) {
        if waits() {
            producer.poll(TURN);
            continue;
        }
        shared.sleeps.store(true, Ordering::SeqCst);
        if !waits() && !shared.stop.load(Ordering::SeqCst) {
            std::thread::park_timeout(IDLE);
        }
        shared.sleeps.store(false, Ordering::SeqCst);
        producer.poll(Duration::ZERO);
    }
}
