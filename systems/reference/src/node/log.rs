//! The one log file of a node, shared by all its shards: records with a checksum, appended by one thread, synced in groups.
//!
//! A record is `length u32, crc32c u32, body`; the body is postcard. Everything that waits is written at once and synced once, so twelve
//! shards pay for one sync. Recovery reads up to the first record that does not hold and cuts the file there: a torn tail was never
//! acknowledged, because an acknowledgement follows the sync of the record and of everything before it.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

use openraft::storage::LogFlushed;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};

use super::types::{Entry, LogId, Types, Vote};

const MAGIC: &[u8; 8] = b"wetdref1";
const HEAD: usize = 8;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Record {
    Vote {
        shard: u16,
        vote: Vote,
    },
    Append {
        shard: u16,
        entries: Vec<Entry>,
    },
    /// Entries from this index on are void.
    Truncate {
        shard: u16,
        from: u64,
    },
    Committed {
        shard: u16,
        upto: Option<LogId>,
    },
}

/// What the log says of one shard. Entry `i` has index `i`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recovered {
    pub(crate) vote: Option<Vote>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) committed: Option<LogId>,
}

/// Who is told when a record is safe.
pub(crate) enum Done {
    Flushed(LogFlushed<Types>),
    Told(oneshot::Sender<Result<(), io::Error>>),
    /// Nobody waits: the record needs no sync of its own.
    Nobody,
}

/// The way to the writing thread.
#[derive(Clone, Debug)]
pub(crate) struct LogFile {
    queue: mpsc::UnboundedSender<(Vec<u8>, Done)>,
    broken: watch::Receiver<Option<String>>,
}

impl LogFile {
    /// Opens or makes the file, recovers it and starts the writing thread, which ends when the last handle is dropped.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, BTreeMap<u16, Recovered>)> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = vec![];
        file.read_to_end(&mut bytes)?;
        let (recovered, good) = recover(&bytes)?;
        if good == 0 {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(MAGIC)?;
        } else {
            file.set_len(good as u64)?;
            file.seek(SeekFrom::End(0))?;
        }
        file.sync_all()?;
        let (queue, waiting) = mpsc::unbounded_channel();
        let (tell, broken) = watch::channel(None);
        std::thread::Builder::new()
            .name("log".into())
            .spawn(move || write_all(file, waiting, &tell))?;
        Ok((Self { queue, broken }, recovered))
    }

    /// Queues a record; records become durable in the order of these calls.
    pub(crate) fn write(&self, record: &Record, done: Done) {
        let refused = self.queue.send((frame(record), done)).err();
        if let Some(mpsc::error::SendError((_, done))) = refused {
            finish(done, &Err(io::ErrorKind::BrokenPipe));
        }
    }

    /// Queues a record and waits until it is safe.
    pub(crate) async fn sync(&self, record: &Record) -> io::Result<()> {
        let (tell, told) = oneshot::channel();
        self.write(record, Done::Told(tell));
        told.await.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()))
    }

    /// Returns when the disk has failed, with its message. Nothing can be trusted after that.
    pub(crate) async fn failed(&self) -> String {
        let mut broken = self.broken.clone();
        match broken.wait_for(Option::is_some).await {
            Ok(message) => message.clone().expect("waited for it"),
            Err(_) => "the log's thread ended".into(),
        }
    }
}

fn frame(record: &Record) -> Vec<u8> {
    let mut bytes = postcard::to_extend(record, vec![0; HEAD]).expect("records are plain data");
    let length = u32::try_from(bytes.len() - HEAD).expect("batches are bounded far below 4 GiB");
    let crc = crc32c::crc32c(&bytes[HEAD..]);
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes[4..HEAD].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn write_all(
    mut file: File,
    mut waiting: mpsc::UnboundedReceiver<(Vec<u8>, Done)>,
    tell: &watch::Sender<Option<String>>,
) {
    let mut group = vec![];
    while let Some(first) = waiting.blocking_recv() {
        let mut bytes = first.0;
        group.push(first.1);
        while let Ok((more, done)) = waiting.try_recv() {
            bytes.extend(more);
            group.push(done);
        }
        let must_sync = group.iter().any(|done| !matches!(done, Done::Nobody));
        let written =
            file.write_all(&bytes).and_then(|()| if must_sync { file.sync_data() } else { Ok(()) });
        let result = written.map_err(|error| {
            tell.send_replace(Some(error.to_string()));
            error.kind()
        });
        group.drain(..).for_each(|done| finish(done, &result));
        if result.is_err() {
            return;
        }
    }
}

fn finish(done: Done, result: &Result<(), io::ErrorKind>) {
    let result = result.map_err(io::Error::from);
    match done {
        Done::Flushed(callback) => callback.log_io_completed(result),
        Done::Told(tell) => drop(tell.send(result)),
        Done::Nobody => {}
    }
}

/// Replays the file's bytes; also says how many of them hold. An empty or torn header counts as an empty file.
fn recover(bytes: &[u8]) -> io::Result<(BTreeMap<u16, Recovered>, usize)> {
    let mut shards = BTreeMap::<u16, Recovered>::new();
    if bytes.len() < MAGIC.len() && MAGIC.starts_with(bytes) {
        return Ok((shards, 0));
    }
    if !bytes.starts_with(MAGIC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "not a log of this version"));
    }
    let mut at = MAGIC.len();
    while let Some((record, length)) = next(&bytes[at..]) {
        at += length;
        replay(&mut shards, record);
    }
    Ok((shards, at))
}

fn next(bytes: &[u8]) -> Option<(Record, usize)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let body = rest.get(..u32::from_le_bytes(*length) as usize)?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
        return None;
    }
    Some((postcard::from_bytes(body).ok()?, HEAD + body.len()))
}

fn replay(shards: &mut BTreeMap<u16, Recovered>, record: Record) {
    match record {
        Record::Vote { shard, vote } => shards.entry(shard).or_default().vote = Some(vote),
        Record::Committed { shard, upto } => shards.entry(shard).or_default().committed = upto,
        Record::Truncate { shard, from } => {
            shards.entry(shard).or_default().entries.truncate(index(from))
        }
        Record::Append { shard, entries } => {
            let kept = &mut shards.entry(shard).or_default().entries;
            if let Some(first) = entries.first() {
                kept.truncate(index(first.log_id.index));
            }
            kept.extend(entries);
        }
    }
}

pub(crate) fn index(index: u64) -> usize {
    usize::try_from(index).expect("logs fit into memory")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use openraft::{CommittedLeaderId, EntryPayload};
    use proptest::prelude::*;

    use super::*;
    use crate::node::types::{Batch, Stored};

    fn entry(index: u64, size: usize) -> Entry {
        let stored = Stored { payload: Bytes::from(vec![index as u8; size]), copies: 1 };
        Entry {
            log_id: LogId::new(CommittedLeaderId::new(1, 0), index),
            payload: EntryPayload::Normal(Batch(vec![stored])),
        }
    }

    fn file_of(sizes: &[usize]) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = MAGIC.to_vec();
        let mut ends = vec![bytes.len()];
        for (index, size) in sizes.iter().enumerate() {
            bytes.extend(frame(&Record::Append {
                shard: 3,
                entries: vec![entry(index as u64, *size)],
            }));
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    proptest! {
        #[test]
        fn a_torn_tail_costs_only_the_torn_record(sizes in prop::collection::vec(0usize..300, 1..12), cut in 0.0f64..1.0) {
            let (bytes, ends) = file_of(&sizes);
            let cut = MAGIC.len() + ((bytes.len() - MAGIC.len()) as f64 * cut) as usize;
            let (shards, good) = recover(&bytes[..cut]).expect("the header holds");
            let whole = ends.iter().filter(|end| **end <= cut).count() - 1;
            prop_assert_eq!(good, ends[whole]);
            prop_assert_eq!(shards.get(&3).map_or(0, |shard| shard.entries.len()), whole);
        }

        #[test]
        fn a_flipped_bit_ends_the_log_before_it(sizes in prop::collection::vec(0usize..300, 1..12), at in 0.0f64..1.0, bit in 0u8..8) {
            let (mut bytes, ends) = file_of(&sizes);
            let at = MAGIC.len() + ((bytes.len() - MAGIC.len() - 1) as f64 * at) as usize;
            bytes[at] ^= 1 << bit;
            let (_, good) = recover(&bytes).expect("the header holds");
            let before = ends.iter().rev().find(|end| **end <= at).expect("the header's end");
            prop_assert_eq!(good, *before);
        }
    }

    #[test]
    fn what_was_synced_comes_back_and_the_tail_is_cut() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("log");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (log, recovered) = LogFile::open(&path).expect("a new log");
        assert!(recovered.is_empty());
        runtime.block_on(async {
            log.sync(&Record::Vote { shard: 1, vote: Vote::new(7, 2) }).await.expect("synced");
            let entries = (0..5).map(|index| entry(index, 10)).collect();
            log.sync(&Record::Append { shard: 1, entries }).await.expect("synced");
            log.sync(&Record::Truncate { shard: 1, from: 3 }).await.expect("synced");
        });
        drop(log);
        let whole = std::fs::metadata(&path).expect("it exists").len();
        OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(&[9; 13]))
            .expect("a torn tail");
        let (_log, recovered) = LogFile::open(&path).expect("recovers");
        assert_eq!(recovered[&1].vote, Some(Vote::new(7, 2)));
        assert_eq!(recovered[&1].entries.len(), 3);
        assert_eq!(std::fs::metadata(&path).expect("it exists").len(), whole);
    }

    #[test]
    fn another_file_is_refused() {
        assert!(recover(b"something else entirely").is_err());
    }
}
