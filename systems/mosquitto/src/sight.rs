//! How far each broker was seen, and when not all of them could be.

use std::sync::{Arc, Mutex, PoisonError};

use model::Micros;
use seams::{Clock, SightingSink};

use crate::SHARD;

pub(crate) struct Sight {
    clock: Clock,
    sink: Arc<dyn SightingSink>,
    brokers: Mutex<Brokers>,
}

struct Brokers {
    /// The highest mark of each.
    passed: Vec<u64>,
    dark: Vec<bool>,
    since: Option<Micros>,
}

impl Sight {
    /// All are dark, from now on.
    pub(crate) fn new(clock: Clock, sink: Arc<dyn SightingSink>, count: usize) -> Self {
        let since = Some(clock.now());
        let brokers = Brokers { passed: vec![0; count], dark: vec![true; count], since };
        Self { clock, sink, brokers: Mutex::new(brokers) }
    }

    /// A broker was last heard then and cannot be seen now.
    pub(crate) fn lost(&self, broker: usize, last: Micros) {
        let mut brokers = self.brokers.lock().unwrap_or_else(PoisonError::into_inner);
        brokers.dark[broker] = true;
        brokers.since = Some(brokers.since.map_or(last, |since| since.min(last)));
    }

    /// From now on everything that a broker takes is shown.
    pub(crate) fn found(&self, broker: usize) {
        let mut brokers = self.brokers.lock().unwrap_or_else(PoisonError::into_inner);
        brokers.dark[broker] = false;
        if brokers.dark.iter().all(|dark| !dark)
            && let Some(since) = brokers.since.take()
        {
            self.sink.blind(since, self.clock.now());
        }
    }

    /// A mark came: what this broker took before it has been shown.
    pub(crate) fn passed(&self, broker: usize, mark: u64) {
        let mut brokers = self.brokers.lock().unwrap_or_else(PoisonError::into_inner);
        brokers.passed[broker] = brokers.passed[broker].max(mark);
        if let Some(all) = brokers.passed.iter().min().filter(|all| **all > 0) {
            self.sink.passed(&SHARD.into(), *all);
        }
    }
}
