//! One raft group: proposes readings in batches, so that they share entries, replication and syncs.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use model::Identity;
use openraft::{Config, SnapshotPolicy, error::ClientWriteError};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::timeout,
};

use super::{
    args::Args,
    defects::Defects,
    log::{LogFile, Recovered},
    members::Members,
    network::{Links, Ways},
    state_machine::{StateMachine, View},
    store::Store,
    types::{Batch, Raft, Stored},
    wire::Refusal,
};

/// Batches under way at once. While all are, readings gather into the next batch.
const BATCHES: u32 = 8;
const BATCH_READINGS: usize = 256;
/// A batch is closed when it holds this much.
const BATCH_BYTES: usize = 512 << 10;
/// Together with the size of batches it keeps a request between nodes below the limit of a frame.
const REQUEST_ENTRIES: u64 = 32;

pub(crate) struct Shard {
    pub(crate) number: u16,
    pub(crate) raft: Raft,
    pub(crate) view: Arc<View>,
    /// Members in the order in which they should lead.
    pub(crate) line: Vec<u64>,
    store: Store,
    defects: Arc<Defects>,
    queue: mpsc::Sender<Proposal>,
    slots: Arc<Semaphore>,
}

#[derive(Debug)]
struct Proposal {
    stored: Stored,
    done: oneshot::Sender<Result<u64, Refusal>>,
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard")
            .field("number", &self.number)
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

/// What a shard is made of.
pub(crate) struct Parts<'a> {
    pub(crate) number: u16,
    pub(crate) me: u64,
    pub(crate) args: &'a Args,
    pub(crate) members: &'a Members,
    pub(crate) links: Links,
    pub(crate) file: LogFile,
    pub(crate) recovered: Recovered,
    pub(crate) view: Arc<View>,
    pub(crate) defects: Arc<Defects>,
}

impl Shard {
    pub(crate) async fn start(parts: Parts<'_>) -> Result<Self, openraft::error::Fatal<u64>> {
        let Parts { number, me, args, members, links, file, recovered, view, defects } = parts;
        let line = members.line_of(number);
        let rank =
            line.iter().position(|member| *member == me).expect("every member stands in line");
        let config = Arc::new(config(args, rank));
        let store = Store::new(number, me, file, recovered);
        let quiet = Duration::from_millis(2 * config.election_timeout_max);
        let raft = Raft::new(
            me,
            config,
            Ways { shard: number, links },
            store.clone(),
            StateMachine(view.clone()),
        )
        .await?;
        raft.runtime_config().elect(false);
        tokio::spawn(listen_first(raft.clone(), quiet));
        let (queue, proposals) = mpsc::channel(4 * BATCH_READINGS);
        let slots = Arc::new(Semaphore::new(BATCHES as usize));
        tokio::spawn(propose(raft.clone(), proposals, slots.clone()));
        Ok(Self { number, raft, view, line, store, defects, queue, slots })
    }

    pub(crate) fn leader(&self) -> Option<u64> {
        self.raft.metrics().borrow().current_leader
    }

    pub(crate) fn leads(&self) -> bool {
        leads(&self.raft)
    }

    pub(crate) fn home(&self) -> u64 {
        self.line[0]
    }

    /// Returns after a change of leader, or after a while.
    pub(crate) async fn leader_changed(&self, from: Option<u64>, wait: Duration) {
        let mut metrics = self.raft.metrics();
        // Whether it changed is seen by whoever looks next.
        let _ = timeout(wait, metrics.wait_for(|metrics| metrics.current_leader != from)).await;
    }

    /// Appends a reading if this node leads. The position comes when it is committed and applied.
    pub(crate) async fn append(&self, identity: Identity, payload: Bytes) -> Result<u64, Refusal> {
        if !self.leads() {
            return Err(Refusal::NotLeader);
        }
        let stored = Stored { payload, copies: self.defects.copies(identity) };
        let (done, answer) = oneshot::channel();
        self.queue.send(Proposal { stored, done }).await.map_err(|_| Refusal::NotLeader)?;
        answer.await.unwrap_or(Err(Refusal::Unknown))
    }

    /// Lets the shard's home take over: proposals wait, what is under way is committed, and once the home has all of it, it may stand
    /// for election and win: a leader whose own vote is older than the lease grants it. Ends when this node no longer leads, or after
    /// `patience`. Answers whether the home may stand.
    pub(crate) async fn step_aside(&self, to: u64, patience: Duration) -> bool {
        let hold = timeout(patience, self.slots.clone().acquire_many_owned(BATCHES)).await;
        let Ok(Ok(hold)) = hold else { return false };
        let last = self.store.last_index();
        let mut metrics = self.raft.metrics();
        let caught_up = metrics.wait_for(|metrics| {
            let theirs =
                metrics.replication.as_ref().and_then(|all| all.get(&to).copied().flatten());
            theirs.map(|id| id.index) >= last
        });
        let ready = timeout(patience, caught_up).await.is_ok_and(|caught_up| caught_up.is_ok())
            && self.leads();
        if ready {
            tokio::spawn(hold_until_gone(self.raft.clone(), hold, patience));
        }
        ready
    }
}

fn leads(raft: &Raft) -> bool {
    raft.metrics().borrow().state.is_leader()
}

/// A node that just started knows no lease and would stand at once, in the way of a leader that is well. So it listens first.
async fn listen_first(raft: Raft, quiet: Duration) {
    let mut metrics = raft.metrics();
    // A leader or none: from now on it may stand.
    let _ = timeout(
        quiet,
        metrics
            .wait_for(|metrics| metrics.current_leader.is_some_and(|leader| leader != metrics.id)),
    )
    .await;
    raft.runtime_config().elect(true);
}

async fn hold_until_gone(raft: Raft, hold: OwnedSemaphorePermit, patience: Duration) {
    let mut metrics = raft.metrics();
    // Gone or out of patience: proposals go on either way, here or at the new leader.
    let _ = timeout(patience, metrics.wait_for(|metrics| !metrics.state.is_leader())).await;
    drop(hold);
}

/// Members later in line wait longer, by more than a vote takes, so that a shard's successor is known and votes do not split.
fn config(args: &Args, rank: usize) -> Config {
    let wait = args.election_ms + args.election_ms / 2 * rank as u64;
    Config {
        cluster_name: "reference".into(),
        heartbeat_interval: args.heartbeat_ms,
        election_timeout_min: wait,
        election_timeout_max: wait + (args.election_ms / 10).max(1),
        snapshot_policy: SnapshotPolicy::Never,
        replication_lag_threshold: u64::MAX,
        max_payload_entries: REQUEST_ENTRIES,
        ..Config::default()
    }
}

async fn propose(raft: Raft, mut proposals: mpsc::Receiver<Proposal>, slots: Arc<Semaphore>) {
    while let Some(first) = proposals.recv().await {
        let slot = slots.clone().acquire_owned().await.expect("the slots are never closed");
        let batch = gather(first, &mut proposals);
        let (readings, answers): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|proposal| (proposal.stored, proposal.done)).unzip();
        if !leads(&raft) {
            for answer in answers {
                // Whoever asked may have given up.
                let _ = answer.send(Err(Refusal::NotLeader));
            }
            continue;
        }
        let copies: Vec<u64> = readings.iter().map(|stored| u64::from(stored.copies)).collect();
        let Ok(outcome) = raft.client_write_ff(Batch(readings)).await else { return };
        tokio::spawn(async move {
            let outcome = match outcome.await {
                Ok(Ok(written)) => Ok(written.data.0),
                // Never appended, or cut off the log again, which openraft does not tell apart; and a node that this one does not
                // hear may keep what was cut off here and lead one day.
                Ok(Err(
                    ClientWriteError::ForwardToLeader(_)
                    | ClientWriteError::ChangeMembershipError(_),
                ))
                | Err(_) => Err(Refusal::Unknown),
            };
            drop(slot);
            let mut position = 0;
            for (answer, copies) in answers.into_iter().zip(copies) {
                // Whoever asked may have given up.
                let _ = answer.send(outcome.map(|first| first + position));
                position += copies;
            }
        });
    }
}

/// What waits behind the first proposal, as far as it fits into one batch.
fn gather(first: Proposal, proposals: &mut mpsc::Receiver<Proposal>) -> Vec<Proposal> {
    let mut bytes = first.stored.payload.len();
    let mut batch = vec![first];
    while batch.len() < BATCH_READINGS
        && bytes < BATCH_BYTES
        && let Ok(next) = proposals.try_recv()
    {
        bytes += next.stored.payload.len();
        batch.push(next);
    }
    batch
}
