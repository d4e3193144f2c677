//! What no run of a plan could decide: said beforehand, and refused where a gate asks for it.

use std::{collections::BTreeMap, time::Duration};

use document::{Problem, Problems, Span, units::Time};
use model::{
    FleetId, Micros, Plan, RegionId,
    load::Warp,
    plan::{Ack, Opening, PhaseKind, Window},
};
use seams::gate::{Recovers, Rests};

use crate::{
    blast_radius::{Reach, reach},
    catalogs::Catalogs,
    due::{Due, Stretch},
    gates::Placed,
    windows::{earliest_open, latest_close},
};

/// The slowest interval of a stream that gates judge from the first fault on, under its load, probes aside.
pub(crate) fn slowest_period(plan: &Plan) -> Duration {
    let first = plan.windows.iter().map(earliest_open).min().unwrap_or_default();
    slowest_within(plan, first, plan.stop())
}

/// The same in a span.
pub(crate) fn slowest_within(plan: &Plan, from: Duration, to: Duration) -> Duration {
    let span = (Micros::after(from), Micros::after(to));
    let fleets = plan.fleets.values().filter(|fleet| !fleet.probe);
    let slowest = fleets.flat_map(|fleet| {
        let (warp, streams) = (Warp::of(&fleet.load), fleet.streams.iter());
        streams.filter(|stream| stream.ack == Ack::Required).map(move |stream| {
            match warp.is_nominal() {
                true => stream.every,
                false => whole_ms(warp.slowest(Micros::after(stream.every), span).elapsed()),
            }
        })
    });
    slowest.max().unwrap_or_default()
}

/// Rounded up, as a person would say it.
fn whole_ms(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX))
}

/// The interval of the readings by which a recovery is judged: that of a service by a probe, where there is one.
pub(crate) fn period_for(plan: &Plan, of: Recovers) -> Duration {
    let probe =
        plan.fleets.values().find(|fleet| fleet.probe).and_then(|fleet| fleet.streams.first());
    match (of, probe) {
        (Recovers::Service, Some(stream)) => stream.every,
        _ => slowest_period(plan),
    }
}

/// The next planned change after a window opens: its own end, another fault, or the end of sending.
pub(crate) fn next_change(window: &Window, plan: &Plan) -> Duration {
    let open = earliest_open(window);
    let changes = plan.windows.iter().flat_map(|other| [earliest_open(other), latest_close(other)]);
    changes.filter(|at| *at > open).min().unwrap_or(plan.stop()).min(plan.stop())
}

pub(crate) fn refuse(
    plan: &Plan,
    gates: &[Placed],
    max_duration: Option<Span>,
    catalogs: &Catalogs,
    problems: &mut Problems,
) {
    if let (Some(max), Some(span)) = (plan.safety.max_duration, max_duration)
        && plan.latest_end() > max
    {
        let message = format!(
            "the plan can last {}, longer than `max_duration` allows",
            Time(plan.latest_end())
        );
        problems.push(
            Problem::new("range", span, message)
                .label("shorter than the phases together")
                .help("Shorten the phases or raise the limit"),
        );
    }
    let due = Due::new(plan);
    for (gate, span) in gates {
        let (Some(span), Some(rests)) = (span, (catalogs.rests_on)(&gate.spec)) else { continue };
        if let Some(why) = undecidable(&rests, &gate.name, &due, catalogs) {
            let problem = Problem::new("logic", *span, why.what);
            problems.push(problem.label("cannot be decided").help(why.help));
        }
    }
}

/// Why a gate could neither pass nor fail, and what to do.
pub(crate) struct Undecidable {
    pub(crate) what: String,
    pub(crate) help: String,
}

/// Silence proves nothing: a gate on outages rests on readings that fall due while a fault lasts, and on time to see its limit.
/// Percentiles are told in the forecast and not refused: what they get depends on bursts too.
pub(crate) fn undecidable(
    rests: &Rests,
    gate: &str,
    due: &Due<'_>,
    catalogs: &Catalogs,
) -> Option<Undecidable> {
    let asks = Asks { gate, due, plan: due.plan, catalogs };
    match rests {
        Rests::Recovery { max, of } => asks.recovery(*max, *of),
        Rests::Outage { max } => asks.outage(*max),
        Rests::Return => asks.who_came_back(),
        Rests::Goodput { during, beside_faults } => asks.goodput(during, *beside_faults),
        Rests::Quantile(_) | Rests::Count | Rests::Told => None,
    }
}

/// A gate and what it is asked of.
struct Asks<'a, 'p> {
    gate: &'a str,
    due: &'a Due<'p>,
    plan: &'p Plan,
    catalogs: &'a Catalogs,
}

/// Who must be asked in a span for a gate to be decided.
#[derive(Clone, Copy, PartialEq)]
enum Whom {
    /// Everybody whom the fault may hit.
    Everybody,
    /// Those of them that can be reached at some moment of the span: the others cannot be out.
    InContact,
}

impl Asks<'_, '_> {
    /// Windows whose moment is known, with the next planned change.
    fn planned(&self) -> impl Iterator<Item = (&Window, (Duration, Duration))> {
        let at = self.plan.windows.iter().filter(|window| matches!(window.opening, Opening::At(_)));
        at.map(|window| (window, (earliest_open(window), next_change(window, self.plan))))
    }

    fn recovery(&self, max: Duration, of: Recovers) -> Option<Undecidable> {
        if self.plan.windows.is_empty() {
            let help = "Plan a fault, or leave the gate out".into();
            return Some(self.cannot_be_decided("no fault is planned".into(), help));
        }
        let needed = max + 3 * period_for(self.plan, of) + self.plan.theta;
        let rooms = self.planned().map(|(window, (open, change))| {
            let what = format!("the fault `{}` until the next planned change", window.id);
            (what, change.saturating_sub(open))
        });
        let recovery = self.plan.phases.iter().find(|phase| phase.kind == PhaseKind::Recovery);
        let recovery = recovery
            .map(|phase| (format!("the phase `{}`", phase.name), phase.end.latest() - phase.start));
        self.too_short(rooms.chain(recovery), max, needed)
            .or_else(|| self.nobody_looks(Whom::Everybody))
    }

    /// An outage may outlast its fault: it needs time until sending stops, and only that somebody looks while the fault lasts.
    fn outage(&self, max: Option<Duration>) -> Option<Undecidable> {
        let period = slowest_period(self.plan);
        if let Some(max) = max
            && !max.is_zero()
            && period > max
        {
            // A limit of zero asks for no outage that anybody sees.
            let (every, max) = (Time(period), Time(max));
            let what =
                format!("readings come every {every}, and {max} can pass between two of them");
            let help = format!("Let every stream send within {max}, or raise the limit");
            return Some(self.cannot_be_decided(what, help));
        }
        let short = max.and_then(|max| {
            let rooms = self.planned().map(|(window, (open, _))| {
                let what = format!("what is left of sending once `{}` opens", window.id);
                (what, self.plan.stop().saturating_sub(open))
            });
            self.too_short(rooms, max, max + 3 * period + self.plan.theta)
        });
        short.or_else(|| self.nobody_looks(Whom::InContact))
    }

    /// The asset that is out at the end is one that was asked after the last heal.
    fn who_came_back(&self) -> Option<Undecidable> {
        let windows: Vec<&Window> = self.planned().map(|(window, _)| window).collect();
        let healed = windows.iter().map(|window| latest_close(window)).max();
        let span = (healed.unwrap_or_default(), self.plan.stop());
        let during = if healed.is_some() { "after the last heal" } else { "in the whole run" };
        self.unasked(&windows, span, during, Whom::InContact)
    }

    fn goodput(&self, during: &[String], beside_faults: bool) -> Option<Undecidable> {
        let no_fault = self.plan.windows.is_empty();
        if no_fault && beside_faults {
            // Nobody is beside a fault: that is not applicable, and declared.
            return None;
        }
        if no_fault && during.is_empty() {
            let what = "no fault is planned, and it names no phase".into();
            let help = "Say with `during` which phases to look at".into();
            return Some(self.cannot_be_decided(what, help));
        }
        let (readings, place) = least_due(during, self.due);
        (readings == 0).then(|| {
            let help = "Make it longer, or let assets send more often".into();
            self.cannot_be_decided(format!("no reading is due {place}"), help)
        })
    }

    fn cannot_be_decided(&self, why: String, help: String) -> Undecidable {
        Undecidable { what: format!("`{}` cannot be decided: {why}", self.gate), help }
    }

    /// A limit is seen to be kept or broken only if `limit + 3 p + theta` passes.
    fn too_short(
        &self,
        mut rooms: impl Iterator<Item = (String, Duration)>,
        max: Duration,
        needed: Duration,
    ) -> Option<Undecidable> {
        let (what, has) = rooms.find(|(_, has)| *has < needed)?;
        let (gate, has, max) = (self.gate, Time(has), Time(max));
        Some(Undecidable {
            what: format!("{what} lasts {has}, too short to decide `{gate}` within {max}"),
            help: format!(
                "It needs limit + 3 intervals + deadline = {}: make it longer, or lower the limit",
                Time(needed)
            ),
        })
    }

    /// Nobody is asked between a fault and the next planned change; or ever, where no fault is planned.
    fn nobody_looks(&self, whom: Whom) -> Option<Undecidable> {
        if self.plan.windows.is_empty() {
            return self.unasked(&[], (Duration::ZERO, self.plan.stop()), "in the whole run", whom);
        }
        self.planned().find_map(|(window, span)| {
            let during = format!("between `{}` and the next planned change", window.id);
            self.unasked(&[window], span, &during, whom)
        })
    }

    /// Assets that the windows may hit (all, without a window), and that have no reading due in the span.
    fn unasked(
        &self,
        windows: &[&Window],
        (from, to): (Duration, Duration),
        during: &str,
        whom: Whom,
    ) -> Option<Undecidable> {
        let hit: Vec<Reach> =
            windows.iter().filter_map(|window| reach(window, self.plan, self.catalogs)).collect();
        let span: Stretch = (Micros::after(from), Micros::after(to));
        let mut asked: BTreeMap<(&FleetId, u32), bool> = BTreeMap::new();
        let all = self.due.required(&[span]);
        // Where nobody at all can be reached, nobody looks either.
        let some_contact = all.iter().any(|counted| counted.in_contact);
        let mut homes: BTreeMap<(&FleetId, &RegionId), bool> = BTreeMap::new();
        for counted in &all {
            let (fleet, home) = (counted.fleet, counted.home);
            let is_hit = *homes.entry((fleet, home)).or_insert_with(|| {
                windows.is_empty() || hit.iter().any(|reach| reach.touches(self.plan, fleet, home))
            });
            if is_hit && (whom == Whom::Everybody || counted.in_contact || !some_contact) {
                *asked.entry((fleet, counted.asset)).or_default() |= counted.readings > 0;
            }
        }
        let ((fleet, _), _) = asked.iter().find(|(_, asked)| !**asked)?;
        let of_fleet = || asked.iter().filter(|((name, _), _)| name == fleet);
        let (all, never) = (of_fleet().count(), of_fleet().filter(|(_, asked)| !**asked).count());
        let what = format!("{never} of {all} assets of `{fleet}` have no reading due {during}");
        Some(self.cannot_be_decided(what, help(fleet, to.saturating_sub(from), self.plan)))
    }
}

fn help(fleet: &FleetId, lasts: Duration, plan: &Plan) -> String {
    let silent = |region: &RegionId| {
        let cell = plan.fleets.get(fleet).and_then(|fleet| fleet.cells.get(region));
        let cell = cell.and_then(|cell| plan.topology.cells.get(cell));
        cell.is_some_and(|cell| cell.track.slots.iter().any(|slot| !slot.up))
    };
    if plan.topology.regions.keys().any(silent) {
        return "Let it last into a contact of every asset, or leave the gate out".into();
    }
    format!("Let them send within {}, or make it last longer", Time(lasts))
}

/// The fewest readings that are due in one of these phases, or while one of the faults lasts where none is named, and where that is.
pub(crate) fn least_due(during: &[String], due: &Due<'_>) -> (u64, String) {
    let plan = due.plan;
    let readings = |from: Duration, to: Duration| -> u64 {
        let span = (Micros::after(from), Micros::after(to));
        due.required(&[span]).iter().map(|counted| counted.readings).sum()
    };
    let phases =
        plan.phases.iter().filter(|phase| during.iter().any(|it| it == phase.name.as_str()));
    let phases = phases
        .map(|phase| (readings(phase.start, phase.end.latest()), format!("in {}", phase.name)));
    let windows = plan.windows.iter().filter(|_| during.is_empty()).map(|window| {
        let until = next_change(window, plan);
        (readings(earliest_open(window), until), format!("while `{}` lasts", window.id))
    });
    phases.chain(windows).min_by_key(|(readings, _)| *readings).unwrap_or_default()
}
