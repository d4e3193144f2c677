//! When an observer with one connection per shard can see nothing: from the first shard that falls dark to the last that is back.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use model::Micros;
use seams::{Clock, SightingSink};

pub(super) struct Sight {
    clock: Clock,
    sink: Arc<dyn SightingSink>,
    dark: Mutex<Dark>,
}

#[derive(Default)]
struct Dark {
    shards: BTreeMap<u16, Micros>,
    since: Option<Micros>,
}

impl Sight {
    pub(super) fn new(clock: Clock, sink: Arc<dyn SightingSink>) -> Arc<Self> {
        Arc::new(Self { clock, sink, dark: Mutex::default() })
    }

    /// A shard was last seen then and cannot be seen now.
    pub(super) fn lost(&self, shard: u16, last: Micros) {
        let mut dark = self.dark.lock().expect("no holder panics");
        dark.shards.entry(shard).or_insert(last);
        dark.since = Some(dark.since.map_or(last, |since| since.min(last)));
    }

    pub(super) fn found(&self, shard: u16) {
        let mut dark = self.dark.lock().expect("no holder panics");
        if dark.shards.remove(&shard).is_some()
            && dark.shards.is_empty()
            && let Some(since) = dark.since.take()
        {
            self.sink.blind(since, self.clock.now());
        }
    }
}
