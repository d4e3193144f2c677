//! One shard's raft log: kept whole in memory, made durable in the node's shared log file.

use std::{
    fmt::Debug,
    ops::{Bound, RangeBounds},
    sync::{Arc, Mutex, MutexGuard},
};

use openraft::{
    LogState, OptionalSend, RaftLogReader, StorageIOError,
    storage::{LogFlushed, RaftLogStorage},
};

use super::{
    log::{Done, LogFile, Record, Recovered, index},
    types::{Entry, LogId, StorageError, Types, Vote},
};

#[derive(Clone, Debug)]
pub(crate) struct Store {
    shard: u16,
    file: LogFile,
    kept: Arc<Mutex<Recovered>>,
}

impl Store {
    /// A node that led when it died keeps its vote but not the belief that it still leads: openraft would let it go on as a leader of
    /// the old term until somebody objects.
    pub(crate) fn new(shard: u16, me: u64, file: LogFile, mut recovered: Recovered) -> Self {
        if let Some(vote) =
            recovered.vote.as_mut().filter(|vote| vote.leader_id().voted_for() == Some(me))
        {
            vote.committed = false;
        }
        Self { shard, file, kept: Arc::new(Mutex::new(recovered)) }
    }

    pub(crate) fn last_index(&self) -> Option<u64> {
        self.kept().entries.last().map(|entry| entry.log_id.index)
    }

    fn kept(&self) -> MutexGuard<'_, Recovered> {
        self.kept.lock().expect("no holder panics")
    }
}

impl RaftLogReader<Types> for Store {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> Result<Vec<Entry>, StorageError> {
        let kept = self.kept();
        let from = match range.start_bound() {
            Bound::Included(at) => index(*at),
            Bound::Excluded(at) => index(*at) + 1,
            Bound::Unbounded => 0,
        };
        let to = match range.end_bound() {
            Bound::Included(at) => index(*at).saturating_add(1),
            Bound::Excluded(at) => index(*at),
            Bound::Unbounded => usize::MAX,
        };
        let to = to.min(kept.entries.len());
        Ok(kept.entries.get(from..to).unwrap_or_default().to_vec())
    }
}

impl RaftLogStorage<Types> for Store {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, StorageError> {
        let last_log_id = self.kept().entries.last().map(|entry| entry.log_id);
        Ok(LogState { last_purged_log_id: None, last_log_id })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError> {
        self.kept().vote = Some(*vote);
        let record = Record::Vote { shard: self.shard, vote: *vote };
        self.file.sync(&record).await.map_err(|error| StorageIOError::write_vote(&error).into())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        Ok(self.kept().vote)
    }

    /// Not synced: a lost mark only means that the leader tells again.
    async fn save_committed(&mut self, upto: Option<LogId>) -> Result<(), StorageError> {
        self.kept().committed = upto;
        self.file.write(&Record::Committed { shard: self.shard, upto }, Done::Nobody);
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, StorageError> {
        Ok(self.kept().committed)
    }

    async fn append<I>(
        &mut self,
        entries: I,
        callback: LogFlushed<Types>,
    ) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        let mut kept = self.kept();
        if let Some(first) = entries.first() {
            debug_assert_eq!(
                index(first.log_id.index),
                kept.entries.len(),
                "openraft truncates before it appends"
            );
        }
        kept.entries.extend(entries.iter().cloned());
        self.file.write(&Record::Append { shard: self.shard, entries }, Done::Flushed(callback));
        Ok(())
    }

    /// Not synced by itself: the file keeps the order, and whatever is appended in its place is synced behind it.
    async fn truncate(&mut self, log_id: LogId) -> Result<(), StorageError> {
        let mut kept = self.kept();
        kept.entries.truncate(index(log_id.index));
        self.file.write(&Record::Truncate { shard: self.shard, from: log_id.index }, Done::Nobody);
        Ok(())
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), StorageError> {
        let never = std::io::Error::other("the whole log is kept: nothing is ever in a snapshot");
        Err(StorageIOError::write_log_entry(log_id, &never).into())
    }
}
