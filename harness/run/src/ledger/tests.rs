use std::time::Duration;

use model::{
    Attempt, Identity, Micros, NodeIndex, Row, Sighting,
    ledger::Fate,
    plan::{Ack, Payload, Stream, StreamPhase},
    schedule::Schedule,
};
use proptest::prelude::*;

use super::{
    chunks::{Chunks, Damage, Kind, Trouble, file_header, frame},
    readings, sightings,
};

fn schedule() -> Schedule {
    let stream = |name: &str, every| Stream {
        name: name.into(),
        every: Duration::from_millis(every),
        phase: StreamPhase::Random,
        jitter: Duration::from_millis(5),
        payload: Payload { p50: 200, p99: 200 },
        ack: Ack::Required,
    };
    Schedule::new(&kit::plan::of(kit::plan::fleet(
        20,
        vec![stream("status", 100), stream("allocs", 700)],
    )))
}

/// Readings of the plan and of nobody, ordinary and absurd.
fn identity() -> impl Strategy<Value = Identity> {
    let plain = (0u32..20, 0u16..2, Just(1u16), 0u64..50);
    let any = (any::<u32>(), 0u16..u16::MAX, any::<u16>(), any::<u64>());
    prop_oneof![plain, any].prop_map(|(asset, stream, boot, seq)| Identity {
        asset,
        stream,
        boot,
        seq,
    })
}

fn micros() -> impl Strategy<Value = Micros> {
    prop_oneof![0i64..10_000_000, any::<i64>()].prop_map(Micros)
}

prop_compose! {
    fn row()(
        identity in identity(),
        ready in micros(),
        on_time: bool,
        sent in prop::collection::vec(micros(), 0..4),
        fate in prop::sample::select(vec![Fate::Acked, Fate::Refused, Fate::Unknown, Fate::Dropped, Fate::Pending]),
        acked in prop::option::of(micros()),
        position: Option<u64>,
        by in prop::option::of(any::<u16>().prop_map(NodeIndex)),
        stored: bool,
    ) -> Row {
        let attempts = sent.into_iter().map(|sent| Attempt { sent }).collect();
        let ready = if on_time { readings::against(&schedule(), &identity, Micros::ZERO).1 } else { ready };
        Row { identity, ready, attempts, fate, acked, position, by, stored }
    }
}

prop_compose! {
    fn sighting()(identity in identity(), at in micros(), position: Option<u64>, intact: bool) -> Sighting {
        Sighting { identity, at, position, intact }
    }
}

/// Whole chunks of a file, and what stopped the reading.
fn chunks(file: &[u8], kind: Kind) -> (Vec<super::chunks::Chunk>, Option<Damage>) {
    let mut found = vec![];
    let mut reader = match Chunks::new(file, kind) {
        Ok(reader) => reader,
        Err(Trouble::Damage(damage)) => return (found, Some(damage)),
        Err(Trouble::Io(error)) => panic!("reading memory failed: {error}"),
    };
    loop {
        match reader.next() {
            Ok(Some(chunk)) => found.push(chunk),
            Ok(None) => return (found, None),
            Err(Trouble::Damage(damage)) => return (found, Some(damage)),
            Err(Trouble::Io(error)) => panic!("reading memory failed: {error}"),
        }
    }
}

fn file(parts: &[Vec<Row>], until: Micros, schedule: &Schedule) -> Vec<u8> {
    let mut file = file_header(Kind::Readings).to_vec();
    for rows in parts {
        file.extend(frame(until, rows.len(), &readings::encode(rows, until, schedule)));
    }
    file
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_come_back(mut rows in prop::collection::vec(row(), 0..40), until in micros()) {
        let schedule = schedule();
        rows.sort_by_key(|row| row.identity);
        let file = file(&[rows.clone()], until, &schedule);
        let (chunks, damage) = chunks(&file, Kind::Readings);
        prop_assert_eq!(damage, None);
        prop_assert_eq!(chunks[0].until, until);
        prop_assert_eq!(readings::decode(&chunks[0], &schedule), Some(rows));
    }

    #[test]
    fn sightings_come_back(mut rows in prop::collection::vec(sighting(), 0..40), until in micros()) {
        let schedule = schedule();
        rows.sort_by_key(|row| row.identity.asset);
        let mut file = file_header(Kind::Sightings).to_vec();
        file.extend(frame(until, rows.len(), &sightings::encode(&rows, until, &schedule)));
        let (chunks, damage) = chunks(&file, Kind::Sightings);
        prop_assert_eq!(damage, None);
        prop_assert_eq!(sightings::decode(&chunks[0], &schedule), Some(rows));
    }

    /// A kill at any byte leaves the whole chunks before it, and is no damage.
    #[test]
    fn a_torn_tail_leaves_a_prefix(parts in prop::collection::vec(prop::collection::vec(row(), 0..6), 1..4)) {
        let schedule = schedule();
        let parts: Vec<Vec<Row>> = parts.into_iter().map(|mut rows| { rows.sort_by_key(|row| row.identity); rows }).collect();
        let file = file(&parts, Micros(7), &schedule);
        for cut in 0..=file.len() {
            let (chunks, damage) = chunks(&file[..cut], Kind::Readings);
            prop_assert_eq!(damage, None, "cut at {}", cut);
            let read: Vec<_> = chunks.iter().map(|chunk| readings::decode(chunk, &schedule).expect("a whole chunk")).collect();
            prop_assert_eq!(&read[..], &parts[..read.len()], "cut at {}", cut);
            prop_assert!(read.len() == parts.len() || cut < file.len());
        }
    }

    #[test]
    fn every_changed_byte_is_noticed(mut rows in prop::collection::vec(row(), 1..5), bit in 0u8..8) {
        let schedule = schedule();
        rows.sort_by_key(|row| row.identity);
        let whole = file(&[rows.clone(), rows], Micros(7), &schedule);
        for at in 0..whole.len() {
            let mut broken = whole.clone();
            broken[at] ^= 1 << bit;
            prop_assert!(chunks(&broken, Kind::Readings).1.is_some(), "byte {}", at);
        }
    }
}

/// An ordinary row, acked by a known node within 8 ms: nine bytes.
#[test]
fn an_ordinary_row_is_small() {
    let schedule = schedule();
    let until = Micros(3_000_000);
    let rows: Vec<Row> = schedule
        .all()
        .flat_map(|(asset, stream, series)| {
            series
                .times()
                .skip_while(|(_, at)| at.0 < 2_000_000)
                .take_while(|(_, at)| at.0 < 3_000_000)
                .map(move |(seq, ready)| Row {
                    identity: Identity { asset, stream, boot: 1, seq },
                    ready,
                    attempts: [Attempt { sent: Micros(ready.0 + 700) }].into(),
                    fate: Fate::Acked,
                    acked: Some(Micros(ready.0 + 4_000)),
                    position: None,
                    by: Some(NodeIndex(2)),
                    stored: false,
                })
        })
        .collect();
    let size = readings::encode(&rows, until, &schedule).len() as f64 / rows.len() as f64;
    assert!(rows.len() > 200 && size <= 9.0, "{size} bytes a row");
}
