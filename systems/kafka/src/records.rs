//! What a fetched piece of a log holds.

use bytes::{Buf, Bytes};
use kafka_protocol::records::RecordBatchDecoder;
use model::{Identity, Micros, Sighting, envelope::Envelope};

use crate::{calls::offset, keys};

/// Where a batch says how long the rest of it is, and how long what stands before that is.
const LENGTH_AT: usize = 8;
const BEFORE: usize = 12;
/// Where it says how far its last record is from its first.
const LAST_AT: usize = 23;

/// One record of the log, as far as it is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) offset: i64,
    /// None for a record that no driver of this run wrote.
    pub(crate) reading: Option<Read>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    identity: Identity,
    intact: bool,
}

impl Found {
    pub(crate) fn sighting(&self, at: Micros) -> Option<Sighting> {
        let Read { identity, intact } = self.reading.clone()?;
        Some(Sighting { identity, at, position: Some(offset(self.offset)), intact })
    }
}

/// All records of whole batches from `from` on, and the offset behind the last one. A broker sends the batch that holds what was asked
/// for from its beginning, and may cut the last one off.
pub(crate) fn read(run: u64, mut bytes: Bytes, from: i64) -> (Vec<Found>, i64) {
    let (mut found, mut next) = (vec![], from);
    while let Some(mut batch) = whole_batch(&mut bytes) {
        let base = (&batch[..]).get_i64();
        let last = base + i64::from((&batch[LAST_AT..]).get_i32());
        // Compressed ones are not ours, and neither are those that cannot be read; their offsets are taken all the same.
        let records = RecordBatchDecoder::decode(&mut batch).map(|set| set.records);
        for record in records.unwrap_or_default() {
            if record.offset >= from && !record.control {
                let reading = ours(run, record.key.as_deref(), record.value.as_deref());
                found.push(Found { offset: record.offset, reading });
            }
        }
        next = next.max(last + 1);
    }
    (found, next)
}

/// Takes a batch from the front, if the whole of it is there.
fn whole_batch(bytes: &mut Bytes) -> Option<Bytes> {
    let length = bytes.get(LENGTH_AT..BEFORE)?;
    let length = usize::try_from(i32::from_be_bytes(length.try_into().ok()?)).ok()?;
    let whole = BEFORE.checked_add(length)?;
    (bytes.len() >= whole && whole >= LAST_AT + 4).then(|| bytes.split_to(whole))
}

fn ours(run: u64, key: Option<&[u8]>, value: Option<&[u8]>) -> Option<Read> {
    let identity = keys::identity(run, key?)?;
    let intact = value.is_some_and(|value| {
        Envelope::read(value)
            .is_ok_and(|envelope| envelope.run == run && envelope.identity == identity)
    });
    Some(Read { identity, intact })
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::calls;

    const RUN: u64 = 7;

    fn batch(base: i64, seq: u64, damaged: bool) -> Bytes {
        let identity = Identity { asset: 4, stream: 0, boot: 1, seq };
        let at = Micros::ZERO;
        let envelope = Envelope {
            run: RUN,
            identity,
            attempt: 1,
            stored: false,
            generated: at,
            device_time: at,
        };
        let mut value = vec![];
        envelope.write(100, &mut value);
        value[80] ^= u8::from(damaged);
        let batch = calls::batch(vec![(keys::key(RUN, &identity, 1), value.into())], 0);
        let mut bytes = BytesMut::from(&batch[..]);
        // The base offset is the broker's to write, and no part of the checksum.
        bytes[..8].copy_from_slice(&base.to_be_bytes());
        bytes.freeze()
    }

    #[test]
    fn what_was_produced_is_read() {
        let log = [batch(5, 0, false), batch(6, 1, true), batch(7, 2, false)].concat();
        let (found, next) = read(RUN, log.clone().into(), 6);
        assert_eq!(next, 8);
        let seen: Vec<_> = found.iter().filter_map(|found| found.sighting(Micros::ZERO)).collect();
        let seen = seen.iter().map(|seen| (seen.identity.seq, seen.position, seen.intact));
        assert_eq!(seen.collect::<Vec<_>>(), [(1, Some(6), false), (2, Some(7), true)]);
        let (foreign, next) = read(RUN + 1, log.into(), 0);
        assert!(next == 8 && foreign.iter().all(|found| found.reading.is_none()));
    }

    #[test]
    fn records_of_one_batch_lie_behind_each_other() {
        let records: Vec<(Bytes, Bytes)> = (0..3)
            .map(|seq| {
                let identity = Identity { asset: 4, stream: 0, boot: 1, seq };
                (keys::key(RUN, &identity, 1), Bytes::new())
            })
            .collect();
        let mut batch = BytesMut::from(&calls::batch(records, 0)[..]);
        batch[..8].copy_from_slice(&9_i64.to_be_bytes());
        let (found, next) = read(RUN, batch.freeze(), 10);
        assert_eq!(next, 12);
        let seen: Vec<_> = found.iter().filter_map(|found| found.sighting(Micros::ZERO)).collect();
        let seen = seen.iter().map(|seen| (seen.identity.seq, seen.position));
        assert_eq!(seen.collect::<Vec<_>>(), [(1, Some(10)), (2, Some(11))]);
    }

    #[test]
    fn a_batch_that_is_cut_off_waits_for_the_next_piece() {
        let whole = [batch(5, 0, false), batch(6, 1, false)].concat();
        for kept in 0..whole.len() {
            let (found, next) = read(RUN, Bytes::copy_from_slice(&whole[..kept]), 5);
            let first = kept >= whole.len() / 2;
            assert_eq!((found.len(), next), (usize::from(first), 5 + i64::from(first)), "{kept}");
        }
    }

    #[test]
    fn a_batch_that_cannot_be_read_takes_its_offsets() {
        let mut broken = BytesMut::from(&batch(5, 0, false)[..]);
        let last = broken.len() - 1;
        broken[last] ^= 1;
        let (found, next) = read(RUN, [broken.freeze(), batch(6, 1, false)].concat().into(), 5);
        assert_eq!((found.len(), next), (1, 7));
    }
}
