//! Whether a loop of the harness itself stood still: a paused machine, a runner without CPU. Pure: the times are told.

use std::time::Duration;

use model::Micros;

/// Less than this is lateness, which percentiles tell.
const LEAST: Duration = Duration::from_millis(100);
/// Beyond so many spans the last one grows instead.
const SPANS_MAX: usize = 1_000;

/// A span in which the loop was not there: from the last moment at which it was seen at work.
type Span = (Micros, Micros);

/// Kept by a loop that says when it wants to be back, and comes back later than that by more than max(100 ms, theta / 10).
#[derive(Debug)]
pub struct Pulse {
    theta: Duration,
    alive: Micros,
    /// May still grow: no reading could tell a neighbour within theta apart.
    open: Option<Span>,
    told: usize,
}

impl Pulse {
    /// Of a loop that is at work `now`.
    pub fn new(theta: Duration, now: Micros) -> Self {
        Self { theta, alive: now, open: None, told: 0 }
    }

    fn patience(&self) -> Duration {
        LEAST.max(self.theta / 10)
    }

    /// By when the loop must want to be back, however little there is to do: what it was not awake for it cannot know.
    pub fn next(&self) -> Micros {
        self.alive + self.patience() / 2
    }

    /// The loop is at work `now`, and wanted to be by `due`. How long it stood still, if it did; and the span before, once it cannot grow
    /// any more.
    pub fn at_work(&mut self, now: Micros, due: Micros) -> (Option<Duration>, Option<Span>) {
        let from = std::mem::replace(&mut self.alive, now);
        // Before the origin nothing is due.
        let stood = now.since(due.max(Micros::ZERO)) > self.patience();
        let whole = self.told < SPANS_MAX;
        let before = self.open.take_if(|(_, to)| whole && *to + self.theta < from);
        self.told += usize::from(before.is_some());
        if stood {
            self.open.get_or_insert((from, now)).1 = now;
        }
        (stood.then(|| now.since(from)), before)
    }

    /// The loop ends: the span that might still have grown.
    pub fn end(&mut self) -> Option<Span> {
        self.open.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THETA: Duration = Duration::from_secs(1);

    fn ms(ms: i64) -> Micros {
        Micros(1_000 * ms)
    }

    /// (now, due) one after the other, in milliseconds: what was lost each time, and every span.
    fn played(beats: &[(i64, i64)]) -> (Vec<i64>, Vec<(i64, i64)>) {
        let mut pulse = Pulse::new(THETA, ms(0));
        let (mut lost, mut spans) = (vec![], vec![]);
        for (now, due) in beats {
            let (stood, span) = pulse.at_work(ms(*now), ms(*due));
            lost.push(stood.map_or(0, |stood| i64::try_from(stood.as_millis()).expect("short")));
            spans.extend(span);
        }
        spans.extend(pulse.end());
        (lost, spans.into_iter().map(|(from, to)| (from.0 / 1_000, to.0 / 1_000)).collect())
    }

    #[test]
    fn a_span_begins_where_the_loop_was_last_seen() {
        assert_eq!(played(&[(50, 50), (180, 100)]), (vec![0, 0], vec![]), "late, not still");
        assert_eq!(played(&[(50, 50), (4_100, 100)]), (vec![0, 4_050], vec![(50, 4_100)]));
    }

    #[test]
    fn neighbours_that_no_reading_tells_apart_are_one_and_others_are_not() {
        let near = [(500, 50), (1_400, 1_400), (1_900, 1_450)];
        assert_eq!(played(&near), (vec![500, 0, 500], vec![(0, 1_900)]));
        let far = [(500, 50), (1_600, 1_600), (2_100, 1_650)];
        assert_eq!(played(&far), (vec![500, 0, 500], vec![(0, 500), (1_600, 2_100)]));
    }

    #[test]
    fn before_the_origin_nothing_is_due() {
        let mut pulse = Pulse::new(THETA, ms(-3_000));
        assert_eq!(pulse.at_work(ms(50), ms(-2_950)), (None, None));
    }

    #[test]
    fn a_machine_that_always_stands_still_says_so_a_bounded_number_of_times() {
        let beats: Vec<(i64, i64)> = (1..4_000).map(|n| (10_000 * n, 10_000 * n - 5_000)).collect();
        let mut apart = vec![];
        for (now, due) in beats {
            apart.extend([(now - 6_000, now - 6_000), (now, due)]);
        }
        let (_, spans) = played(&apart);
        assert_eq!(spans.len(), SPANS_MAX + 1);
        assert_eq!(
            spans.last().map(|(_, to)| *to),
            Some(39_990_000),
            "the last one holds the rest"
        );
    }
}
