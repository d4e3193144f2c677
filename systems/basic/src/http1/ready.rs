//! Which connections have something to say. The wakers of sockets write it down; the lane looks at those connections only.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
};

/// Of one lane.
#[derive(Debug, Default)]
pub(super) struct Ready(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    conns: Vec<u32>,
    lane: Option<Waker>,
}

/// Wakes a lane for one of its connections.
#[derive(Debug)]
pub(super) struct Bell {
    ready: Arc<Ready>,
    conn: u32,
    rung: AtomicBool,
}

impl Ready {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands out the connections that were named since the last time, each once, and wakes `lane` for the next one.
    pub(super) fn take(&self, conns: &mut Vec<u32>, lane: &Waker) {
        let mut inner = self.inner();
        std::mem::swap(&mut inner.conns, conns);
        match &mut inner.lane {
            Some(known) => known.clone_from(lane),
            none => *none = Some(lane.clone()),
        }
    }

    /// Wakes the lane for something else.
    pub(super) fn wake(&self) {
        let lane = self.inner().lane.clone();
        if let Some(lane) = lane {
            lane.wake();
        }
    }
}

impl Bell {
    pub(super) fn new(ready: Arc<Ready>, conn: u32) -> Arc<Self> {
        Arc::new(Self { ready, conn, rung: AtomicBool::new(false) })
    }

    /// To be called before the connection is looked at: what happens from now on rings again.
    pub(super) fn heard(&self) {
        self.rung.store(false, Ordering::Release);
    }

    pub(super) fn has_rung(&self) -> bool {
        self.rung.load(Ordering::Acquire)
    }

    pub(super) fn ring(&self) {
        if self.rung.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut inner = self.ready.inner();
        inner.conns.push(self.conn);
        let lane = (inner.conns.len() == 1).then(|| inner.lane.clone()).flatten();
        drop(inner);
        if let Some(lane) = lane {
            lane.wake();
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}
