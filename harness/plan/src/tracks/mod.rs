//! Ways that change by the clock, from the file to [`Track`]: profiles with a name, recorded traces, contact plans. All of it is
//! decided here, once, from the plan's seed; labs, fleets and findings read the same slots.
//!
//! A profile is one file beside this one and its line in [`PROFILES`].

mod leo;
pub(crate) mod table;

use std::time::Duration;

use document::{Node, Problem, Problems, Sp, Span, units::Time};
use model::{Chance, Jitter, LinkQuality, Shape, Slot, Track, schedule::Draws};
use schemars::JsonSchema;
use seams::links::{bit_rate, chance};
use serde::Deserialize;

use crate::{
    catalogs::{Family, Known},
    grammar::{Pass, Quality, TraceRow},
    names,
};

/// The lists that may be files.
pub(crate) const TABLES: [table::Form; 2] = [
    table::Form {
        key: "trace",
        columns: &["at", "delay", "jitter", "loss", "rate", "up"],
        needed: &["at"],
        none: ("a trace without a row", "Write `trace: [{at: 0s, delay: 20ms}]`, or leave it out"),
        thinner: "Thin the rows out, or use `repeat`",
    },
    table::Form {
        key: "contact",
        columns: &["aos", "los"],
        needed: &["aos", "los"],
        none: (
            "a contact plan without a pass",
            "Write `contact: [{aos: 10s, los: 40s}]`, or leave it out",
        ),
        thinner: "Leave out passes after the end of the run",
    },
];

/// A change by the clock with a name.
struct Profile {
    name: &'static str,
    /// One sentence.
    about: &'static str,
    /// Percentiles are judged over whole multiples of it.
    period: Duration,
    /// Slots from zero to at least the moment given; each draw by its own number, so that none depends on another.
    slots: fn(Draws, Duration) -> Track,
    /// A period makes at most so many.
    slots_per_period: u128,
}

const PROFILES: &[Profile] = &[leo::LEO_15S];

/// A profile or a repeated trace makes at most so many slots.
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
            && names::known(
                "profile",
                name,
                name.span,
                PROFILES.iter().map(|profile| profile.name),
                problems,
            )
            && let Some(profile) = PROFILES.iter().find(|profile| profile.name == name.value)
        {
            track = self.profile(profile, name.span, draws, problems);
        }
        match (&way.trace, &way.repeat) {
            (Some(rows), repeat) => {
                track = track.then(&self.trace(rows, repeat.as_ref(), problems))
            }
            (None, Some(repeat)) => {
                let problem = Problem::new("logic", repeat.span, "`repeat` without a trace")
                    .label("nothing to repeat");
                problems.push(problem.help("Add `trace: file.csv`, or leave `repeat` out"));
            }
            (None, None) => {}
        }
        match &way.contact {
            Some(passes) => track.then(&contact(passes, problems)),
            None => track,
        }
    }

    fn profile(self, profile: &Profile, at: Span, draws: Draws, problems: &mut Problems) -> Track {
        let periods = self.until.as_nanos().div_ceil(profile.period.as_nanos()) + 1;
        if periods * profile.slots_per_period <= SLOTS_MAX {
            return (profile.slots)(draws, self.until);
        }
        let most = profile.period.as_secs() * (SLOTS_MAX / profile.slots_per_period - 1) as u64;
        let (until, longest) = (Time(self.until), Time(Duration::from_secs(most / 3_600 * 3_600)));
        let message = format!(
            "the profile `{}` changes every {}, and the run may last {until}",
            profile.name,
            Time(profile.period)
        );
        let problem =
            Problem::new("range", at, message).label(format!("more than {SLOTS_MAX} slots in all"));
        problems.push(problem.help(format!(
            "Shorten the phases to {longest} in all, or write a `trace` with `repeat`"
        )));
        Track::default()
    }

    fn trace(
        self,
        rows: &Sp<Vec<Sp<TraceRow>>>,
        repeat: Option<&Sp<Time>>,
        problems: &mut Problems,
    ) -> Track {
        let Some(last) = in_order(rows, problems) else { return Track::default() };
        let once: Vec<Slot> = rows.iter().map(|row| slot(row)).collect();
        let Some(repeat) = repeat else { return Track { slots: once } };
        let period = repeat.value.0;
        if period <= last {
            let message = format!(
                "the trace repeats after {}, before its last row at {}",
                Time(period),
                Time(last)
            );
            problems.push(
                Problem::new("range", repeat.span, message)
                    .label("too short")
                    .help("Repeat later, or leave rows out"),
            );
            return Track::default();
        }
        let rounds = self.until.as_nanos() / period.as_nanos() + 1;
        if rounds * once.len() as u128 > SLOTS_MAX {
            let message = format!("the trace repeats {rounds} times, {} rows each", once.len());
            problems.push(
                Problem::new("range", repeat.span, message)
                    .label("more than 100,000 rows in all")
                    .help("Repeat less often"),
            );
            return Track::default();
        }
        let round = |number: u32| {
            once.iter().map(move |slot| Slot { from: slot.from + period * number, ..slot.clone() })
        };
        Track { slots: (0..rounds as u32).flat_map(round).collect() }
    }
}

/// The clock of a way: percentiles of what goes over it are judged over whole multiples of this.
pub(crate) fn period(way: &Quality) -> Option<Duration> {
    let named = way
        .profile
        .as_ref()
        .and_then(|name| PROFILES.iter().find(|profile| profile.name == name.value));
    [named.map(|profile| profile.period), way.repeat.map(|repeat| repeat.value.0)]
        .into_iter()
        .flatten()
        .max()
}

/// What a way gets by the clock: whether any of it is a delay, and whether any is a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Clocked {
    pub(crate) delayed: bool,
    pub(crate) limited: bool,
}

/// None: nothing of its quality changes by the clock. Of what was read with mistakes anything may be meant.
pub(crate) fn clocked(way: &Quality) -> Option<Clocked> {
    let of = |slots: &[Slot]| Clocked {
        delayed: slots.is_empty() || slots.iter().any(|slot| !slot.quality.delay.is_zero()),
        limited: slots.is_empty() || slots.iter().any(|slot| slot.quality.rate.is_some()),
    };
    let profile = way.profile.as_ref().map(|name| {
        let known = PROFILES.iter().find(|profile| profile.name == name.value);
        of(&known
            .map(|profile| (profile.slots)(Draws::of(0), profile.period).slots)
            .unwrap_or_default())
    });
    let trace =
        way.trace.as_ref().map(|rows| of(&rows.iter().map(|row| slot(row)).collect::<Vec<_>>()));
    let either = |a: Clocked, b: Clocked| Clocked {
        delayed: a.delayed || b.delayed,
        limited: a.limited || b.limited,
    };
    profile.into_iter().chain(trace).reduce(either)
}

/// The moment of the last row, if the first is at zero and each is later than the one before it.
fn in_order(rows: &Sp<Vec<Sp<TraceRow>>>, problems: &mut Problems) -> Option<Duration> {
    // Rows with mistakes of their own are not among these: a list of none was told when it was read, and one of them may be the first.
    let first = rows.first()?;
    let before = |span: Span| {
        span.source == first.span.source
            && (rows.span.start..first.span.start).contains(&span.start)
    };
    if !first.at.0.is_zero() && !problems.iter().any(|problem| before(problem.span)) {
        let message =
            format!("the trace begins at {}, and says nothing of the time before", first.at);
        problems.push(
            Problem::new("range", first.span, message)
                .label("not `0s`")
                .help("Begin with a row at `0s`"),
        );
        return None;
    }
    let mut pairs = rows.windows(2);
    if let Some([before, after]) =
        pairs.find(|pair| pair[0].at >= pair[1].at).and_then(|pair| pair.first_chunk())
    {
        let message = format!("the row at {} stands behind the one at {}", after.at, before.at);
        problems.push(
            Problem::new("range", after.span, message)
                .label("not later")
                .help("Sort the rows by `at`, each moment once"),
        );
        return None;
    }
    rows.last().map(|row| row.at.0)
}

fn slot(row: &TraceRow) -> Slot {
    let jitter = row.jitter.map_or(Duration::ZERO, |jitter| jitter.0);
    let jitter = (!jitter.is_zero()).then_some(Jitter {
        width: jitter,
        shape: Shape::Uniform,
        correlation: Chance(0),
    });
    let quality = LinkQuality {
        delay: row.delay.unwrap_or_default().0,
        jitter: jitter.into_iter().collect(),
        loss: row.loss.filter(|share| share.0 > 0).map(chance).into_iter().collect(),
        rate: row.rate.map(bit_rate),
        ..LinkQuality::default()
    };
    Slot { from: row.at.0, quality, up: row.up.unwrap_or(true) }
}

/// Up during passes, down between them and after the last one.
fn contact(passes: &Sp<Vec<Sp<Pass>>>, problems: &mut Problems) -> Track {
    let mut slots = vec![edge(Duration::ZERO, false)];
    let mut before = Duration::ZERO;
    for pass in passes.iter() {
        let (aos, los) = (pass.aos.0, pass.los.0);
        if los <= aos || aos < before {
            tell_pass(pass.span, pass, before, problems);
            return Track::default();
        }
        // A pass that begins where the one before it ends is the same contact.
        while slots.last().is_some_and(|slot| slot.from >= aos) {
            slots.pop();
        }
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
        true => Problem::new("range", span, format!("a pass from {} to {}", pass.aos, pass.los))
            .label("ends before it begins"),
        false => Problem::new(
            "range",
            span,
            format!(
                "a pass from {}, while the one before it lasts until {}",
                pass.aos,
                Time(before)
            ),
        )
        .label("overlaps"),
    };
    problems
        .push(problem.help("`aos` is when contact begins and `los` when it ends, pass after pass"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;

    #[test]
    fn tables_have_the_columns_of_their_rows() {
        let columns = |schema: schemars::Schema| {
            let mut columns: Vec<String> =
                kinds::properties(&schema).into_iter().map(str::to_owned).collect();
            columns.sort_unstable();
            columns
        };
        let [trace, contact] = TABLES.map(|table| {
            let mut columns = table.columns.to_vec();
            columns.sort_unstable();
            columns
        });
        assert_eq!(columns(schemars::schema_for!(TraceRow)), trace);
        assert_eq!(columns(schemars::schema_for!(Pass)), contact);
    }

    #[test]
    fn touching_passes_are_one_contact() {
        let pass = |aos, los| Sp {
            value: Pass { aos: Time(secs(aos)), los: Time(secs(los)) },
            span: Span::default(),
        };
        let spans = |passes: Vec<Sp<Pass>>| {
            let mut problems = vec![];
            let track = contact(&Sp { value: passes, span: Span::default() }, &mut problems);
            assert_eq!(problems, []);
            track
                .contacts(secs(100))
                .into_iter()
                .map(|(a, b)| (a.as_secs(), b.as_secs()))
                .collect::<Vec<_>>()
        };
        assert_eq!(spans(vec![pass(10, 40), pass(70, 90)]), [(10, 40), (70, 90)]);
        assert_eq!(spans(vec![pass(0, 40), pass(40, 90)]), [(0, 90)]);
        assert_eq!(spans(vec![pass(0, 400)]), [(0, 100)]);
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }
}
