//! `leo_15s`: the access link of a satellite internet terminal in low orbit, which gets another satellite every 15 s.
//!
//! Sources. One satellite per terminal and slot of 15 s at fixed absolute times, with another level of latency after each switch: G.
//! Huston, APNIC. A deterministic cycle of 15 s with spikes of about 140 ms at its beginning and 75 ms at its end, stable in between:
//! arXiv 2601.08439 (one-way, 500 Hz). Losses of up to 50 % that go with handovers: "A browser-side view of Starlink", IMC 2022.
//! Assumed for want of a source: each spike lasts 100 ms, three switches in ten bring a burst of losses, 100 ms to 500 ms of it.

use std::time::Duration;

use model::{
    Chance, LinkQuality, Slot, Track,
    schedule::{Draws, Purpose},
};

use super::Profile;

pub(super) const LEO_15S: Profile = Profile {
    name: "leo_15s",
    about: "Satellite internet in low orbit: every 15 s another satellite, 10 to 30 ms one way, spikes and losses at each switch.",
    period: PERIOD,
    slots,
    slots_per_period: SLOTS,
};

const PERIOD: Duration = Duration::from_secs(15);
const SPIKE: Duration = Duration::from_millis(100);
const SPIKE_FIRST: Duration = Duration::from_millis(140);
const SPIKE_LAST: Duration = Duration::from_millis(75);
/// 0.1 %, in parts per million.
const LOSS: u32 = 1_000;
/// Switches that bring a burst, in parts per million.
const BURST: u64 = 300_000;

/// Two spikes, the end of a burst, and the time between.
const SLOTS: u128 = 4;

/// What is drawn for one slot, each by its own number.
const DRAWS: u64 = 4;

/// Slots begin at whole multiples of the period since the beginning of the run.
fn slots(draws: Draws, until: Duration) -> Track {
    let count = until.as_nanos().div_ceil(PERIOD.as_nanos()) as u64;
    Track { slots: (0..=count).flat_map(|number| slot(draws, number)).collect() }
}

fn slot(draws: Draws, number: u64) -> Vec<Slot> {
    let draw = |what: u64, bound: u64| draws.below(bound, Purpose::Track, number * DRAWS + what);
    let begin = PERIOD * u32::try_from(number).unwrap_or(u32::MAX);
    let base = Duration::from_micros(10_000 + draw(0, 20_001));
    let bursts = draw(1, 1_000_000) < BURST;
    let burst_ends =
        if bursts { Duration::from_micros(100_000 + draw(2, 400_001)) } else { Duration::ZERO };
    let burst = Chance(100_000 + draw(3, 400_001) as u32);
    let last = PERIOD - SPIKE;
    let mut edges = vec![Duration::ZERO, SPIKE, burst_ends, last];
    edges.sort_unstable();
    edges.dedup();
    let piece = |from: Duration| {
        let spike = if from < SPIKE { SPIKE_FIRST } else { Duration::ZERO }
            + if from >= last { SPIKE_LAST } else { Duration::ZERO };
        let mut loss = vec![Chance(LOSS)];
        loss.extend((from < burst_ends).then_some(burst));
        Slot {
            from: begin + from,
            quality: LinkQuality { delay: base + spike, loss, ..LinkQuality::default() },
            up: true,
        }
    };
    edges.into_iter().map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track() -> Track {
        slots(Draws::of(7).named("terminals"), PERIOD * 1_000)
    }

    /// Delay in milliseconds and chances of loss, `ms` after the beginning of a slot.
    fn at(track: &Track, number: u32, ms: u64) -> (f64, Vec<Chance>) {
        let slot = track.at(PERIOD * number + Duration::from_millis(ms)).expect("it has begun");
        (slot.quality.delay.as_secs_f64() * 1e3, slot.quality.loss.clone())
    }

    #[test]
    fn each_slot_is_steady_between_its_spikes() {
        let track = track();
        for number in 0..1_000 {
            let (base, loss) = at(&track, number, 7_000);
            assert!(
                (10.0..=30.0).contains(&base) && loss == [Chance(LOSS)],
                "slot {number}: {base} ms, {loss:?}"
            );
            let spikes = [0, 99, 14_899, 14_900, 14_999]
                .map(|ms| (at(&track, number, ms).0 - base).round() as u64);
            assert_eq!(spikes, [140, 140, 0, 75, 75], "slot {number}");
        }
        assert!(track.slots.len() as u128 <= 1_001 * SLOTS);
        assert!(
            track.slots.windows(2).all(|pair| pair[0].from < pair[1].from),
            "in order, each moment once"
        );
    }

    #[test]
    fn three_switches_in_ten_bring_a_burst_of_its_bounds() {
        let track = track();
        let bursts: Vec<u32> =
            (0..1_000).filter(|number| at(&track, *number, 0).1.len() == 2).collect();
        assert!((260..=340).contains(&bursts.len()), "{} of 1000", bursts.len());
        for number in bursts {
            let (with, without) = (at(&track, number, 99).1, at(&track, number, 501).1);
            assert!(
                (100_000..=500_000).contains(&with[1].0) && without.len() == 1,
                "slot {number}: {with:?}"
            );
        }
    }

    #[test]
    fn delays_are_uniform_and_a_fleets_own() {
        let mean =
            |track: &Track| (0..1_000).map(|number| at(track, number, 7_000).0).sum::<f64>() / 1e3;
        let (one, other) = (track(), slots(Draws::of(7).named("vehicles"), PERIOD * 1_000));
        assert!((mean(&one) - 20.0).abs() < 0.6 && (mean(&other) - 20.0).abs() < 0.6);
        assert_ne!(one, other);
        assert_eq!(one, track(), "the seed decides");
    }
}
