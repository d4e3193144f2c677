//! Records on their way over one connection: a few requests under way, and what waits meanwhile goes together in the next one.
//!
//! A broker handles the requests of a connection one after the other, and with `acks: all` each takes a round trip between replicas. So
//! many more requests under way would only queue at the broker. Absent on purpose: waiting for more records, retries, deadlines.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::JoinSet,
};

use crate::{
    acks::Acks,
    calls::{self, CallError, Produce, Said},
    wire::{Wire, WireError},
};

/// Requests under way at once, as many as with Kafka's own producers.
pub(crate) const UNDER_WAY: usize = 5;
/// Bytes of keys and values in one request, beyond the first record: far below what brokers take.
const BATCH_BYTES: usize = 256 << 10;

/// What all records of a driver have in common.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) topic: String,
    pub(crate) acks: Acks,
    /// How long the leader waits for the other replicas, in milliseconds.
    pub(crate) broker_timeout_ms: i32,
    /// Records of one request, at the most.
    pub(crate) batch: usize,
}

/// A handle on the way to one broker. Clones share it; when the last one is dropped, nothing more is written, and the connection closes.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    queue: mpsc::UnboundedSender<Queued>,
    _sending: Arc<JoinSet<()>>,
}

#[derive(Debug)]
struct Queued {
    partition: i32,
    key: Bytes,
    value: Bytes,
    tell: oneshot::Sender<Result<Said, CallError>>,
}

impl Sender {
    pub(crate) fn new(wire: Wire, terms: Terms) -> Self {
        let (queue, queued) = mpsc::unbounded_channel();
        let mut sending = JoinSet::new();
        sending.spawn(send(wire, terms, queued));
        Self { queue, _sending: Arc::new(sending) }
    }

    /// Hands one record over, once, and waits for what is said of it for as long as the connection stands.
    pub(crate) async fn append(
        &self,
        partition: i32,
        key: Bytes,
        value: Bytes,
    ) -> Result<Said, CallError> {
        let (tell, told) = oneshot::channel();
        let queued = Queued { partition, key, value, tell };
        self.queue.send(queued).map_err(|_| WireError::NotSent)?;
        told.await.unwrap_or(Err(CallError::Wire(WireError::Broken)))
    }
}

async fn send(wire: Wire, terms: Terms, mut queued: mpsc::UnboundedReceiver<Queued>) {
    let under_way = Arc::new(Semaphore::new(UNDER_WAY));
    let mut waiting = Waiting::default();
    loop {
        if waiting.is_empty() {
            let Some(first) = queued.recv().await else { return };
            waiting.take(first);
        }
        let Ok(permit) = under_way.clone().acquire_owned().await else { return };
        while let Ok(more) = queued.try_recv() {
            waiting.take(more);
        }
        let Some((partition, batch)) = waiting.next(terms.batch) else { continue };
        let (tells, records): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|of| (of.tell, (of.key, of.value))).unzip();
        let produce = Produce {
            topic: &terms.topic,
            partition,
            records,
            acks: terms.acks.code(),
            timeout_ms: terms.broker_timeout_ms,
        };
        // Handed to the connection here, so that requests leave in the order of their records.
        let answer = calls::produce(&wire, produce);
        tokio::spawn(async move {
            let said = answer.await;
            for (place, tell) in (0..).zip(tells) {
                let _gone = tell.send(said.map(|said| said.of(place)));
            }
            drop(permit);
        });
    }
}

/// Records that wait, by partition; the partitions take turns.
#[derive(Debug, Default)]
struct Waiting {
    of: BTreeMap<i32, VecDeque<Queued>>,
    turns: VecDeque<i32>,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    fn take(&mut self, queued: Queued) {
        let of = self.of.entry(queued.partition).or_default();
        if of.is_empty() {
            self.turns.push_back(queued.partition);
        }
        of.push_back(queued);
    }

    /// The records of the next request, all of one partition, in order.
    fn next(&mut self, most: usize) -> Option<(i32, Vec<Queued>)> {
        let partition = self.turns.pop_front()?;
        let of = self.of.get_mut(&partition)?;
        let (mut batch, mut bytes) = (vec![], 0);
        while let Some(queued) = of.front() {
            bytes += queued.key.len() + queued.value.len();
            let full = batch.len() >= most || bytes > BATCH_BYTES;
            if full && !batch.is_empty() {
                break;
            }
            batch.extend(of.pop_front());
        }
        if !of.is_empty() {
            self.turns.push_back(partition);
        }
        Some((partition, batch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queued(partition: i32, bytes: usize) -> Queued {
        let (tell, _) = oneshot::channel();
        Queued { partition, key: Bytes::new(), value: vec![0; bytes].into(), tell }
    }

    fn batches(records: &[(i32, usize)], most: usize) -> Vec<(i32, usize)> {
        let mut waiting = Waiting::default();
        records.iter().for_each(|(partition, bytes)| waiting.take(queued(*partition, *bytes)));
        std::iter::from_fn(|| waiting.next(most)).map(|(of, batch)| (of, batch.len())).collect()
    }

    #[test]
    fn partitions_take_turns_and_batches_have_an_end() {
        let records = [(0, 9), (0, 9), (1, 9), (0, 9), (2, 9)];
        assert_eq!(batches(&records, 1), [(0, 1), (1, 1), (2, 1), (0, 1), (0, 1)]);
        assert_eq!(batches(&records, 2), [(0, 2), (1, 1), (2, 1), (0, 1)]);
        assert_eq!(batches(&records, 500), [(0, 3), (1, 1), (2, 1)]);
        assert_eq!(batches(&[(0, BATCH_BYTES + 1), (0, 9), (0, 9)], 500), [(0, 1), (0, 2)]);
        assert_eq!(batches(&[], 500), []);
    }
}
