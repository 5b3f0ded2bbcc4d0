//! A process that may take so much memory and no more.
//!
//! The engine counts what sorts, joins and aggregates keep, and refuses more than `sql.memory_limit`. It does not count
//! what a function makes of its arguments, a plan that doubles with each line of WITH, or batches of very long rows. So
//! the kernel counts everything: the process gets no more than [`set`] allows, and ends with a word about it rather than
//! take the machine down. Nothing is lost, because a query changes nothing.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    io::Write as _,
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Whether a bound of ours is what an allocation may have met.
static BOUNDED: AtomicBool = AtomicBool::new(false);

/// Bounds what this process may allocate from now on. A lower bound that somebody else set stays.
///
/// # Errors
/// The kernel has no such bound.
pub fn set(bytes: u64) -> std::io::Result<()> {
    let now = getrlimit(Resource::Data);
    let lower = |bound: Option<u64>| bound.is_some_and(|bound| bound <= bytes);
    if lower(now.current) || lower(now.maximum) {
        return Ok(());
    }
    let bound = Rlimit {
        current: Some(bytes),
        maximum: now.maximum,
    };
    setrlimit(Resource::Data, bound)?;
    BOUNDED.store(true, Ordering::Relaxed);
    Ok(())
}

/// The system's allocator, and a word where it has nothing to give. The caller then ends the process.
pub struct Told;

impl Told {
    #[cold]
    fn tell() {
        const WORDS: &[u8] = b"error: run the query: it needs more memory than the process may take\nhint: give it more with --memory-limit (sql.memory_limit), or ask for less at once\n";
        if BOUNDED.load(Ordering::Relaxed) {
            // Standard error has no buffer, so that nothing is allocated; where it is closed nobody listens.
            let _ = std::io::stderr().write_all(WORDS);
        }
    }

    fn checked(memory: *mut u8) -> *mut u8 {
        if memory.is_null() {
            Self::tell();
        }
        memory
    }
}

// SAFETY: everything is the system allocator's; the words are written without allocating.
unsafe impl GlobalAlloc for Told {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps `alloc`'s contract.
        Self::checked(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps `alloc_zeroed`'s contract.
        Self::checked(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: the caller keeps `realloc`'s contract.
        Self::checked(unsafe { System.realloc(memory, layout, bytes) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { System.dealloc(memory, layout) }
    }
}
