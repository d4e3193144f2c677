//! One shard's state: the readings in log order, and the newest of each stream. Built by applying the raft log; never stored by itself.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use model::{Identity, Micros, envelope::Envelope};
use openraft::{
    EntryPayload, OptionalSend, RaftSnapshotBuilder, Snapshot, SnapshotMeta, StorageIOError,
    StoredMembership, storage::RaftStateMachine,
};
use tokio::sync::watch;

use super::{
    defects::Defects,
    log::index,
    types::{Applied, Entry, LogId, StorageError, Stored, Types},
};

/// What readers of a shard share with the machine that fills it.
#[derive(Debug)]
pub(crate) struct View {
    shard: u16,
    state: Mutex<State>,
    length: watch::Sender<u64>,
    /// Bytes kept by all shards of the node together.
    kept_bytes: Arc<AtomicU64>,
    defects: Arc<Defects>,
}

#[derive(Debug, Default)]
struct State {
    applied: Option<LogId>,
    members: StoredMembership<u64, openraft::EmptyNode>,
    readings: Vec<Bytes>,
    current: BTreeMap<(u32, u16), Current>,
}

/// The newest reading of a stream, by intended generation.
#[derive(Clone, Copy, Debug)]
struct Current {
    position: u64,
    generated: Micros,
    identity: Identity,
    /// Where the value before it lies.
    before: Option<u64>,
}

/// A current value as it is shown.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) position: u64,
    pub(crate) payload: Bytes,
    pub(crate) identity: Identity,
    /// The value that this one replaced.
    pub(crate) before: Option<u64>,
}

impl View {
    pub(crate) fn new(shard: u16, kept_bytes: Arc<AtomicU64>, defects: Arc<Defects>) -> Arc<Self> {
        let (length, _) = watch::channel(0);
        Arc::new(Self { shard, state: Mutex::default(), length, kept_bytes, defects })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    pub(crate) fn length(&self) -> u64 {
        *self.length.borrow()
    }

    pub(crate) fn watch_length(&self) -> watch::Receiver<u64> {
        self.length.subscribe()
    }

    /// The reading at a position; positions below the length exist.
    pub(crate) fn at(&self, position: u64) -> Option<Bytes> {
        self.state().readings.get(index(position)).cloned()
    }

    /// Readings from a position on, at most `count` of them and about `bytes` in all.
    pub(crate) fn from(&self, position: u64, count: usize, bytes: usize) -> Vec<Bytes> {
        let state = self.state();
        let mut taken = 0;
        let fits = |reading: &&Bytes| {
            let before = taken;
            taken += reading.len();
            before < bytes
        };
        let rest = state.readings.get(index(position)..).unwrap_or_default();
        rest.iter().take(count).take_while(fits).cloned().collect()
    }

    pub(crate) fn current(&self, asset: u32, stream: u16) -> Option<Value> {
        let state = self.state();
        state.current.get(&(asset, stream)).map(|current| state.value(current))
    }

    /// Current values that became so at this position or later, and the end of the log that they stand for.
    pub(crate) fn changed_since(&self, position: u64) -> (Vec<Value>, u64) {
        let state = self.state();
        let changed = state.current.values().filter(|current| current.position >= position);
        (changed.map(|current| state.value(current)).collect(), state.readings.len() as u64)
    }

    pub(crate) fn shard(&self) -> u16 {
        self.shard
    }

    fn apply_batch(&self, state: &mut State, batch: Vec<Stored>) {
        for stored in batch {
            // The front door lets only intact envelopes in.
            let Ok(envelope) = Envelope::read(&stored.payload) else { continue };
            let position = state.readings.len() as u64;
            if stored.copies > 1 {
                self.defects.duplicated(envelope.identity, self.shard, position);
            }
            for _ in 0..stored.copies {
                self.kept_bytes.fetch_add(stored.payload.len() as u64, Ordering::Relaxed);
                state.readings.push(stored.payload.clone());
            }
            state.show(&envelope, position);
        }
    }
}

impl State {
    /// A stored reading that arrives late never replaces a newer one.
    fn show(&mut self, envelope: &Envelope, position: u64) {
        let key = (envelope.identity.asset, envelope.identity.stream);
        let before = self.current.get(&key);
        if before.is_some_and(|before| before.generated >= envelope.generated) {
            return;
        }
        let before = before.map(|before| before.position);
        let current = Current {
            position,
            generated: envelope.generated,
            identity: envelope.identity,
            before,
        };
        self.current.insert(key, current);
    }

    fn value(&self, current: &Current) -> Value {
        let payload = self.readings[index(current.position)].clone();
        Value {
            position: current.position,
            payload,
            identity: current.identity,
            before: current.before,
        }
    }
}

/// The side that raft drives.
#[derive(Clone, Debug)]
pub(crate) struct StateMachine(pub(crate) Arc<View>);

impl RaftStateMachine<Types> for StateMachine {
    type SnapshotBuilder = NoSnapshots;

    async fn applied_state(
        &mut self,
    ) -> Result<(Option<LogId>, StoredMembership<u64, openraft::EmptyNode>), StorageError> {
        let state = self.0.state();
        Ok((state.applied, state.members.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<Applied>, StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut state = self.0.state();
        let mut answers = vec![];
        for entry in entries {
            answers.push(Applied(state.readings.len() as u64));
            state.applied = Some(entry.log_id);
            match entry.payload {
                EntryPayload::Blank => {}
                EntryPayload::Normal(batch) => self.0.apply_batch(&mut state, batch.0),
                EntryPayload::Membership(members) => {
                    state.members = StoredMembership::new(Some(entry.log_id), members)
                }
            }
        }
        let length = state.readings.len() as u64;
        drop(state);
        self.0.length.send_if_modified(|known| std::mem::replace(known, length) != length);
        Ok(answers)
    }

    async fn get_snapshot_builder(&mut self) -> NoSnapshots {
        NoSnapshots
    }

    async fn begin_receiving_snapshot(
        &mut self,
    ) -> Result<Box<std::io::Cursor<Vec<u8>>>, StorageError> {
        Err(never())
    }

    async fn install_snapshot(
        &mut self,
        _: &SnapshotMeta<u64, openraft::EmptyNode>,
        _: Box<std::io::Cursor<Vec<u8>>>,
    ) -> Result<(), StorageError> {
        Err(never())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<Types>>, StorageError> {
        Ok(None)
    }
}

/// The whole log is kept, so a follower is always served from it.
#[derive(Debug)]
pub(crate) struct NoSnapshots;

impl RaftSnapshotBuilder<Types> for NoSnapshots {
    async fn build_snapshot(&mut self) -> Result<Snapshot<Types>, StorageError> {
        Err(never())
    }
}

fn never() -> StorageError {
    StorageIOError::write_snapshot(
        None,
        &std::io::Error::other("the whole log is kept: there are no snapshots"),
    )
    .into()
}
