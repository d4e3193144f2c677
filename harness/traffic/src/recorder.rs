//! The recorder on board of an asset: store and forward. Everything without a final outcome is in it, under way or waiting.

use std::collections::{BTreeMap, VecDeque};

use model::{
    Attempts, Micros,
    plan::{self, OnFull, ReplayOrder},
};

use crate::{carrier::Up, pace::Pace};

/// A reading without a final outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) stream: u16,
    pub(crate) seq: u64,
    /// As intended by the schedule.
    pub(crate) generated: Micros,
    /// When the model allows sending it; later than that only if it was recorded in planned silence.
    pub(crate) ready: Micros,
    /// Of the payload, envelope included.
    pub(crate) bytes: u32,
    pub(crate) attempts: Attempts,
    /// The mark of its last attempt.
    pub(crate) stored: bool,
    /// Some attempt may have been done.
    pub(crate) unsure: bool,
    /// Some attempt was refused. It waits behind the others, so that one that is never accepted does not block them.
    pub(crate) refused: bool,
    /// Loss of signal put it back, and nothing else: it takes a turn of the next replay's pace.
    pub(crate) cut: bool,
}

impl Reading {
    pub(crate) fn new(stream: u16, seq: u64, generated: Micros, ready: Micros, bytes: u32) -> Self {
        let attempts = Attempts::new();
        let (stored, unsure, refused, cut) = (false, false, false, false);
        Self { stream, seq, generated, ready, bytes, attempts, stored, unsure, refused, cut }
    }
}

/// By intended generation.
type Waiting = BTreeMap<(Micros, u16, u64), Reading>;

#[derive(Debug, Default)]
pub(crate) struct Recorder {
    /// Under way and waiting.
    bytes: u64,
    /// None where nothing waits and nothing is replayed: of a million assets that are answered, nearly all.
    waiting: Option<Box<Queues>>,
}

#[derive(Debug, Default)]
struct Queues {
    /// Generated while connected: they wait for a free place only.
    live: VecDeque<Reading>,
    /// Recorded without a connection, or tried in vain: to be replayed.
    stored: Waiting,
    refused: Waiting,
    /// None before anything was to be replayed.
    pace: Option<Pace>,
}

impl Recorder {
    fn queues(&mut self) -> &mut Queues {
        self.waiting.get_or_insert_default()
    }

    /// Makes room for a new reading. What had to go comes back; the new one itself must be dropped if the last is false.
    pub(crate) fn admit(&mut self, bytes: u32, policy: &plan::Recorder) -> (Vec<Reading>, bool) {
        let mut gone = Vec::new();
        let bytes = u64::from(bytes);
        while self.bytes + bytes > policy.capacity_bytes {
            let oldest = match policy.on_full {
                OnFull::DropOldest => self.pop_oldest(),
                OnFull::DropNewest => None,
            };
            let Some(oldest) = oldest else { return (gone, false) };
            self.settled(&oldest);
            gone.push(oldest);
        }
        self.bytes += bytes;
        (gone, true)
    }

    /// An admitted reading has its final outcome.
    pub(crate) fn settled(&mut self, reading: &Reading) {
        self.bytes -= u64::from(reading.bytes);
        if self.bytes == 0 {
            // After an outage of everybody their memory comes back. What is replayed keeps its pace until it is settled.
            self.waiting = None;
        }
    }

    /// The pace of the replay; `up` is that of the asset's connection.
    pub(crate) fn pace(&mut self, up: &Up) -> &mut Pace {
        self.queues().pace.get_or_insert_with(|| Pace::since(up))
    }

    /// Its connection stands now. Whether something may wait.
    pub(crate) fn connected(&mut self, up: &Up, now: Micros) -> bool {
        let Some(queues) = &mut self.waiting else { return false };
        queues.pace.get_or_insert_default().begins(up, now);
        true
    }

    /// Nothing is left to replay.
    pub(crate) fn caught_up(&mut self) {
        if let Some(pace) = self.waiting.as_mut().and_then(|queues| queues.pace.as_mut()) {
            pace.behind = None;
        }
    }

    /// The timer of the replay has run out.
    pub(crate) fn timer_ran_out(&mut self) {
        if let Some(pace) = self.waiting.as_mut().and_then(|queues| queues.pace.as_mut()) {
            pace.timer = 0;
        }
    }

    pub(crate) fn push_live(&mut self, reading: Reading) {
        self.queues().live.push_back(reading);
    }

    pub(crate) fn push_stored(&mut self, reading: Reading) {
        let Queues { stored, refused, .. } = self.queues();
        let queue = if reading.refused { refused } else { stored };
        queue.insert((reading.generated, reading.stream, reading.seq), reading);
    }

    pub(crate) fn pop_live(&mut self) -> Option<Reading> {
        self.waiting.as_mut()?.live.pop_front()
    }

    /// The next one to replay.
    pub(crate) fn pop_stored(&mut self, order: ReplayOrder) -> Option<Reading> {
        let pop = match order {
            ReplayOrder::NewestFirst => Waiting::pop_last,
            ReplayOrder::LiveFirst | ReplayOrder::OldestFirst => Waiting::pop_first,
        };
        let queues = self.waiting.as_mut()?;
        let (_, reading) = pop(&mut queues.stored).or_else(|| pop(&mut queues.refused))?;
        Some(reading)
    }

    /// Contact begins after a silence since then: what was recorded in it, or in an earlier one and had not become ready before it, gets
    /// its moment, in the order of the replay. What loss of signal cut off takes a moment too, where it comes between them, and was ready
    /// all along: were its turn nobody's, every silent one after it would be sent that much after its moment. What trouble of the platform
    /// left takes none.
    pub(crate) fn silence_ends(
        &mut self,
        since: Micros,
        until: Micros,
        order: ReplayOrder,
        moments: impl Iterator<Item = Micros>,
    ) {
        let silent = |reading: &Reading| {
            reading.ready > reading.generated
                && reading.ready >= since
                && reading.attempts.is_empty()
        };
        let Some(queues) = &mut self.waiting else { return };
        let mut waiting: Vec<&mut Reading> =
            queues.stored.values_mut().filter(|reading| silent(reading) || reading.cut).collect();
        if order == ReplayOrder::NewestFirst {
            waiting.reverse();
        }
        for (reading, moment) in waiting.into_iter().zip(moments) {
            if silent(reading) {
                reading.ready = moment;
            }
            // If it still waits after a turn in this contact, which ends at `until`, that is the platform's doing.
            reading.cut &= moment >= until;
        }
    }

    /// The connection is gone: what waited for a place is recorded now.
    pub(crate) fn shelve(&mut self, cut: bool) {
        let live = self.waiting.as_mut().map(|queues| std::mem::take(&mut queues.live));
        for reading in live.into_iter().flatten() {
            self.push_stored(Reading { cut, ..reading });
        }
    }

    pub(crate) fn has_stored(&self) -> bool {
        let has = |queues: &Queues| !queues.stored.is_empty() || !queues.refused.is_empty();
        self.waiting.as_deref().is_some_and(has)
    }

    /// Everything that waits, at the end.
    pub(crate) fn empty(&mut self) -> impl Iterator<Item = Reading> + use<> {
        self.shelve(false);
        let Queues { stored, refused, .. } = *self.waiting.take().unwrap_or_default();
        stored.into_values().chain(refused.into_values())
    }

    pub(crate) fn has_live(&self) -> bool {
        self.waiting.as_deref().is_some_and(|queues| !queues.live.is_empty())
    }

    fn pop_oldest(&mut self) -> Option<Reading> {
        let first = |queue: &Waiting| queue.first_key_value().map(|(key, _)| key.0);
        let Queues { live, stored, refused, .. } = &mut **self.waiting.as_mut()?;
        match (first(stored), first(refused)) {
            (Some(a), Some(b)) if b < a => refused.pop_first(),
            (Some(_), _) => stored.pop_first(),
            (None, _) => refused.pop_first(),
        }
        .map(|(_, reading)| reading)
        .or_else(|| live.pop_front())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(seq: u64, refused: bool) -> Reading {
        let ready = Micros(seq.cast_signed());
        Reading { refused, ..Reading::new(0, seq, ready, ready, 100) }
    }

    fn policy(on_full: OnFull) -> plan::Recorder {
        plan::Recorder {
            capacity_bytes: 600,
            on_full,
            order: ReplayOrder::LiveFirst,
            rate: 1.0,
            mark_stored: true,
        }
    }

    /// Stored 3 and 4, refused 2, live 5 and 6; 1 is under way.
    fn filled() -> Recorder {
        let mut recorder = Recorder::default();
        for seq in 1..=6 {
            assert_eq!(recorder.admit(100, &policy(OnFull::DropOldest)), (vec![], true));
            match seq {
                1 => {}
                2..=4 => recorder.push_stored(reading(seq, seq == 2)),
                _ => recorder.push_live(reading(seq, false)),
            }
        }
        recorder
    }

    #[test]
    fn the_oldest_that_waits_makes_room_wherever_it_waits() {
        let mut recorder = filled();
        let gone: Vec<u64> = (0..5)
            .flat_map(|_| recorder.admit(100, &policy(OnFull::DropOldest)).0)
            .map(|reading| reading.seq)
            .collect();
        assert_eq!(gone, [2, 3, 4, 5, 6]);
        assert_eq!(
            recorder.admit(100, &policy(OnFull::DropOldest)),
            (vec![], false),
            "what is under way keeps its place"
        );
        recorder.settled(&reading(1, false));
        assert_eq!(recorder.admit(100, &policy(OnFull::DropOldest)), (vec![], true));
    }

    #[test]
    fn a_recorder_that_drops_the_newest_keeps_the_others() {
        let mut recorder = filled();
        assert_eq!(recorder.admit(100, &policy(OnFull::DropNewest)), (vec![], false));
        assert_eq!(
            recorder.empty().map(|reading| reading.seq).collect::<Vec<_>>(),
            [3, 4, 5, 6, 2]
        );
    }

    #[test]
    fn refused_ones_are_replayed_last() {
        for (order, expected) in
            [(ReplayOrder::OldestFirst, [3, 4, 2]), (ReplayOrder::NewestFirst, [4, 3, 2])]
        {
            let mut recorder = filled();
            let replayed: Vec<u64> = std::iter::from_fn(|| recorder.pop_stored(order))
                .map(|reading| reading.seq)
                .collect();
            assert_eq!(replayed, expected);
        }
    }

    /// Signal is lost at 10 and acquired at 100. The platform left 1; 2 and 3 waited for a place; 20, 21 and 22 are of the silence.
    #[test]
    fn what_loss_of_signal_cut_off_takes_a_turn_and_what_trouble_left_does_not() {
        let (lost, never) = (Micros(10), Micros(1_000));
        for (order, until, expected) in [
            (
                ReplayOrder::LiveFirst,
                never,
                [(1, 1), (2, 2), (3, 3), (20, 120), (21, 130), (22, 140)],
            ),
            (
                ReplayOrder::NewestFirst,
                never,
                [(22, 100), (21, 110), (20, 120), (3, 3), (2, 2), (1, 1)],
            ),
            (
                ReplayOrder::LiveFirst,
                Micros(110),
                [(1, 1), (2, 2), (3, 3), (20, 120), (21, 130), (22, 140)],
            ),
        ] {
            let mut recorder = Recorder::default();
            recorder.push_stored(reading(1, false));
            (2..=3).for_each(|seq| recorder.push_live(reading(seq, false)));
            recorder.shelve(true);
            (20..=22).for_each(|seq| {
                recorder.push_stored(Reading { ready: Micros(100), ..reading(seq, false) })
            });
            recorder.silence_ends(lost, until, order, (100..).step_by(10).map(Micros));
            let replayed: Vec<Reading> =
                std::iter::from_fn(|| recorder.pop_stored(order)).collect();
            let ready: Vec<(u64, i64)> =
                replayed.iter().map(|reading| (reading.seq, reading.ready.0)).collect();
            assert_eq!(ready, expected, "{order:?}");
            let cut = replayed.iter().filter(|reading| reading.cut).map(|reading| reading.seq);
            let left = if until == never { vec![] } else { vec![3] };
            assert_eq!(
                cut.collect::<Vec<_>>(),
                left,
                "a turn after the contact is still to come: {order:?}"
            );
        }
    }
}
