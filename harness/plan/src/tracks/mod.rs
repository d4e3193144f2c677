//! Ways that change by the clock, from the file to [`Track`]: profiles with a name, recorded traces, contact plans. All of it is
//! decided here, once, from the plan's seed; labs, fleets and findings read the same slots.
//!
//! A profile is one file beside this one and its line in [`PROFILES`].

mod leo;
pub(crate) mod table;

use std::time::Duration;

use model::{Chance, Jitter, LinkQuality, Shape, Slot, Track, schedule::Draws};
use schemars::JsonSchema;
use seams::document::{Node, Problem, Problems, Sp, Span, units::Time};
use serde::Deserialize;

use crate::{
    catalogs::{Family, Known},
    grammar::{Pass, Quality, TraceRow},
    names,
};

/// A change by the clock with a name.
struct Profile {
    name: &'static str,
    /// One sentence.
    about: &'static str,
    /// Percentiles are judged over whole multiples of it.
    period: Duration,
    /// Slots from zero to at least the moment given; each draw by its own number, so that none depends on another.
    slots: fn(Draws, Duration) -> Track,
}

const PROFILES: &[Profile] = &[leo::LEO_15S];

/// A repeated trace makes at most so many slots.
const SLOTS_MAX: u128 = 100_000;

/// For `explain`, `list` and the reference.
pub(crate) fn family() -> Family {
    let known = |profile: &Profile| Known {
        name: profile.name,
        about: profile.about,
        example: "access: {profile: leo_15s, rate: 20Mbit}  # or on a pair of `links`",
        schema: || schemars::schema_for!(Nothing),
        read: |_: &Node, _: &mut Problems| None,
    };
    Family { noun: "profile", kinds: PROFILES.iter().map(known).collect() }
}

/// Profiles have a name and nothing else.
#[derive(Deserialize, JsonSchema)]
#[schemars(description = "")]
struct Nothing {}

/// What the slots of every way of a plan are made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clockwork {
    pub(crate) draws: Draws,
    /// The plan's latest end.
    pub(crate) until: Duration,
}

impl Clockwork {
    /// The slots of one way: its profile, its trace and its contact plan, one behind the other. `draws` are the way's own.
    pub(crate) fn track(self, way: &Quality, draws: Draws, problems: &mut Problems) -> Track {
        let mut track = Track::default();
        if let Some(name) = &way.profile
            && names::known("profile", name, name.span, PROFILES.iter().map(|profile| profile.name), problems)
            && let Some(profile) = PROFILES.iter().find(|profile| profile.name == name.value)
        {
            track = (profile.slots)(draws, self.until);
        }
        match (&way.trace, &way.repeat) {
            (Some(rows), repeat) => track = track.then(&self.trace(rows, repeat.as_ref(), problems)),
            (None, Some(repeat)) => {
                let problem = Problem::new("logic", repeat.span, "`repeat` without a trace").label("nothing to repeat");
                problems.push(problem.help("Add `trace: file.csv`, or leave `repeat` out"));
            }
            (None, None) => {}
        }
        match &way.contact {
            Some(passes) => track.then(&contact(passes, problems)),
            None => track,
        }
    }

    fn trace(self, rows: &Sp<Vec<Sp<TraceRow>>>, repeat: Option<&Sp<Time>>, problems: &mut Problems) -> Track {
        let Some(last) = in_order(rows, problems) else { return Track::default() };
        let once: Vec<Slot> = rows.iter().map(|row| slot(row)).collect();
        let Some(repeat) = repeat else { return Track { slots: once } };
        let period = repeat.value.0;
        if period <= last {
            let message = format!("the trace repeats after {}, before its last row at {}", Time(period), Time(last));
            problems.push(Problem::new("range", repeat.span, message).label("too short").help("Repeat later, or leave rows out"));
            return Track::default();
        }
        let rounds = self.until.as_nanos() / period.as_nanos() + 1;
        if rounds * once.len() as u128 > SLOTS_MAX {
            let message = format!("the trace repeats {rounds} times, {} rows each", once.len());
            problems.push(Problem::new("range", repeat.span, message).label("more than 100,000 rows in all").help("Repeat less often"));
            return Track::default();
        }
        let round = |number: u32| once.iter().map(move |slot| Slot { from: slot.from + period * number, ..slot.clone() });
        Track { slots: (0..rounds as u32).flat_map(round).collect() }
    }
}

/// The clock of a way: percentiles of what goes over it are judged over whole multiples of this.
pub(crate) fn period(way: &Quality) -> Option<Duration> {
    let named = way.profile.as_ref().and_then(|name| PROFILES.iter().find(|profile| profile.name == name.value));
    [named.map(|profile| profile.period), way.repeat.map(|repeat| repeat.value.0)].into_iter().flatten().max()
}

/// The moment of the last row, if the first is at zero and each is later than the one before it.
fn in_order(rows: &Sp<Vec<Sp<TraceRow>>>, problems: &mut Problems) -> Option<Duration> {
    // Rows with mistakes of their own are not among these, so what seems to be missing may only follow from them.
    let whole = problems.is_empty();
    let Some(first) = rows.first() else {
        let problem = Problem::new("range", rows.span, "a trace without a row").label("no rows").help("Its first row is at `0s`");
        problems.extend(whole.then_some(problem));
        return None;
    };
    if whole && !first.at.0.is_zero() {
        let message = format!("the trace begins at {}, and says nothing of the time before", first.at);
        problems.push(Problem::new("range", first.span, message).label("not `0s`").help("Begin with a row at `0s`"));
        return None;
    }
    let mut pairs = rows.windows(2);
    if let Some([before, after]) = pairs.find(|pair| pair[0].at >= pair[1].at).and_then(|pair| pair.first_chunk()) {
        let message = format!("the row at {} stands behind the one at {}", after.at, before.at);
        problems.push(Problem::new("range", after.span, message).label("not later").help("Sort the rows by `at`, each moment once"));
        return None;
    }
    rows.last().map(|row| row.at.0)
}

fn slot(row: &TraceRow) -> Slot {
    let jitter = row.jitter.map_or(Duration::ZERO, |jitter| jitter.0);
    let jitter = (!jitter.is_zero()).then_some(Jitter { width: jitter, shape: Shape::Uniform, correlation: Chance(0) });
    let quality = LinkQuality {
        delay: row.delay.unwrap_or_default().0,
        jitter: jitter.into_iter().collect(),
        loss: row.loss.filter(|share| share.0 > 0).map(Into::into).into_iter().collect(),
        rate: row.rate.map(Into::into),
        ..LinkQuality::default()
    };
    Slot { from: row.at.0, quality, up: row.up.unwrap_or(true) }
}

/// Up during passes, down between them and after the last one.
fn contact(passes: &Sp<Vec<Sp<Pass>>>, problems: &mut Problems) -> Track {
    let mut slots = vec![edge(Duration::ZERO, false)];
    if passes.is_empty() && problems.is_empty() {
        let problem = Problem::new("range", passes.span, "a contact plan without a pass").label("never in contact");
        problems.push(problem.help("Write `contact: [{aos: 10s, los: 40s}]`, or leave it out"));
    }
    let mut before = Duration::ZERO;
    for pass in passes.iter() {
        let (aos, los) = (pass.aos.0, pass.los.0);
        if los <= aos || aos < before {
            tell_pass(pass.span, pass, before, problems);
            return Track::default();
        }
        // A pass that begins where the one before it ends is the same contact.
        slots.retain(|slot| slot.from < aos);
        if slots.last().is_none_or(|slot| !slot.up) {
            slots.push(edge(aos, true));
        }
        slots.push(edge(los, false));
        before = los;
    }
    Track { slots }
}

fn edge(from: Duration, up: bool) -> Slot {
    Slot { from, quality: LinkQuality::default(), up }
}

fn tell_pass(span: Span, pass: &Pass, before: Duration, problems: &mut Problems) {
    let problem = match pass.los <= pass.aos {
        true => Problem::new("range", span, format!("a pass from {} to {}", pass.aos, pass.los)).label("ends before it begins"),
        false => Problem::new("range", span, format!("a pass from {}, while the one before it lasts until {}", pass.aos, Time(before)))
            .label("overlaps"),
    };
    problems.push(problem.help("`aos` is when contact begins and `los` when it ends, pass after pass"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn touching_passes_are_one_contact() {
        let pass = |aos, los| Sp { value: Pass { aos: Time(secs(aos)), los: Time(secs(los)) }, span: Span::default() };
        let spans = |passes: Vec<Sp<Pass>>| {
            let mut problems = vec![];
            let track = contact(&Sp { value: passes, span: Span::default() }, &mut problems);
            assert_eq!(problems, []);
            track.contacts(secs(100)).into_iter().map(|(a, b)| (a.as_secs(), b.as_secs())).collect::<Vec<_>>()
        };
        assert_eq!(spans(vec![pass(10, 40), pass(70, 90)]), [(10, 40), (70, 90)]);
        assert_eq!(spans(vec![pass(0, 40), pass(40, 90)]), [(0, 90)]);
        assert_eq!(spans(vec![pass(0, 400)]), [(0, 100)]);
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }
}
