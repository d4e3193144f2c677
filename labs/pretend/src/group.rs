//! One shard with its copies, and what each copy makes of what was committed.

use std::{collections::BTreeMap, time::Duration};

use model::{Micros, NodeId, ServiceId, ShardId, Sighting, schedule::Draws};
use tokio::time::Instant;

use crate::{
    message::Route,
    raft::{Replica, Role},
};

pub(crate) struct Group {
    pub(crate) service: ServiceId,
    pub(crate) shard: ShardId,
    pub(crate) copies: Vec<NodeId>,
    pub(crate) replicas: Vec<Replica>,
    /// Per copy: clients that wait for a commit, in order of position.
    pub(crate) waiting: Vec<Vec<Waiting>>,
    shelves: Vec<Shelf>,
}

#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) index: u64,
    pub(crate) term: u64,
    pub(crate) route: Route,
}

/// The newest reading of each stream, by intended generation: a late replay never hides a newer value.
#[derive(Default)]
struct Shelf {
    upto: u64,
    values: BTreeMap<(u32, u16), (Micros, Sighting)>,
}

impl Group {
    pub(crate) fn new(
        service: ServiceId,
        shard: ShardId,
        copies: Vec<NodeId>,
        first: usize,
        election: Duration,
        draws: Draws,
        now: Instant,
    ) -> Self {
        let count = copies.len();
        let replica =
            |me| Replica::new(me, count, first, election, draws.named(copies[me].as_str()), now);
        let replicas = (0..count).map(replica).collect();
        Self {
            service,
            shard,
            copies,
            replicas,
            waiting: vec![vec![]; count],
            shelves: (0..count).map(|_| Shelf::default()).collect(),
        }
    }

    pub(crate) fn copy_of(&self, node: &NodeId) -> Option<usize> {
        self.copies.iter().position(|copy| copy == node)
    }

    /// The node's processes are gone, and with them who waited there.
    pub(crate) fn forget(&mut self, node: &NodeId) {
        if let Some(copy) = self.copy_of(node) {
            self.waiting[copy].clear();
        }
    }

    pub(crate) fn restart(&mut self, node: &NodeId, now: Instant) {
        if let Some(copy) = self.copy_of(node) {
            self.replicas[copy].restart(now);
        }
    }

    /// A clock that stood still does not catch up tick by tick.
    pub(crate) fn resume(&mut self, node: &NodeId, now: Instant) {
        if let Some(copy) = self.copy_of(node) {
            let replica = &mut self.replicas[copy];
            replica.deadline = replica.deadline.max(now);
        }
    }

    /// The copy that leads with the highest term.
    pub(crate) fn leader(&self) -> Option<usize> {
        let leaders =
            (0..self.replicas.len()).filter(|copy| self.replicas[*copy].role == Role::Leader);
        leaders.max_by_key(|copy| self.replicas[*copy].term)
    }

    pub(crate) fn entries(&self, copy: usize, after: u64) -> (Vec<Sighting>, u64) {
        let replica = &self.replicas[copy];
        let readings = replica
            .committed(after)
            .filter_map(|(position, entry)| Some(entry.written?.sighting(position)));
        (readings.collect(), replica.commit)
    }

    /// The newest of each stream, where it was written behind a position.
    pub(crate) fn values(&mut self, copy: usize, after: u64) -> (Vec<Sighting>, u64) {
        let (replica, shelf) = (&self.replicas[copy], &mut self.shelves[copy]);
        for (position, entry) in replica.committed(shelf.upto) {
            let Some(written) = entry.written else { continue };
            let (sighting, generated) = (written.sighting(position), written.generated);
            let key = (sighting.identity.asset, sighting.identity.stream);
            let value = shelf.values.entry(key).or_insert((generated, sighting));
            if generated > value.0 {
                *value = (generated, sighting);
            }
        }
        shelf.upto = replica.commit;
        let newer = shelf
            .values
            .values()
            .map(|(_, sighting)| *sighting)
            .filter(|sighting| sighting.position > Some(after));
        (newer.collect(), replica.commit)
    }
}
