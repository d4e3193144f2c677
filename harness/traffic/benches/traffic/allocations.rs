//! Counts what the process asks its allocator for.
#![allow(
    unsafe_code,
    reason = "an allocator is an unsafe trait; this one hands on to the system's"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicU64, Ordering},
};

#[global_allocator]
static COUNTED: Counted = Counted;
static MADE: AtomicU64 = AtomicU64::new(0);

struct Counted;

// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }
}

fn count() {
    MADE.fetch_add(1, Ordering::Relaxed);
}

/// How often this process has asked for memory so far.
pub(crate) fn so_far() -> u64 {
    MADE.load(Ordering::Relaxed)
}
