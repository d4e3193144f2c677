//! How much a drill may hold. Each limit is looked at before anything is made of what it counts.

use document::{Problem, Problems, Sp, Span};

use crate::grammar::Scenario;

/// Entries of a section.
pub(crate) const SERVICES_MAX: usize = 64;
pub(crate) const FLEETS_MAX: usize = 64;
pub(crate) const STREAMS_MAX: usize = 64;
pub(crate) const OBSERVERS_MAX: usize = 64;
pub(crate) const PHASES_MAX: usize = 250;
pub(crate) const FAULTS_MAX: usize = 250;
pub(crate) const GATES_MAX: usize = 250;
/// Files that a scenario is made of.
pub(crate) const FILES_MAX: usize = 64;
/// Nodes of a stack: a fault may mean every link between them and to the assets.
pub(crate) const NODES_MAX: usize = 600;
/// Cells: one per fleet and region.
pub(crate) const CELLS_MAX: usize = 1_200;
/// Slots of all ways that change by the clock.
pub(crate) const SLOTS_MAX: usize = 1_000_000;
/// Readings of a drill: each of them is kept, and judged in memory.
pub(crate) const READINGS_MAX: u128 = 50_000_000;
/// Mistakes that are told. Those that come first in the file.
pub(crate) const MISTAKES_MAX: usize = 200;
/// Of a name that is not known, no more of those that are known are listed.
pub(crate) const LISTED_MAX: usize = 40;

/// Whether there are no more of these than there may be; tells the mistake otherwise.
pub(crate) fn within(
    what: &str,
    count: usize,
    most: usize,
    at: Span,
    problems: &mut Problems,
) -> bool {
    if count > most {
        let problem = Problem::new("range", at, format!("{count} {what}"));
        let help = format!("A drill has at most {most}");
        problems.push(problem.label("too many").help(help));
    }
    count <= most
}

/// Whether no list of the file is longer than it may be.
pub(crate) fn few_enough(raw: &Scenario, at: Span, problems: &mut Problems) -> bool {
    let Scenario { observers, phases, faults, gates, .. } = raw;
    let lists = [
        ("observers", observers.as_ref().map(Vec::len), OBSERVERS_MAX),
        ("phases", phases.as_ref().map(Vec::len), PHASES_MAX),
        ("faults", faults.as_ref().map(Vec::len), FAULTS_MAX),
        ("gates", gates.as_ref().map(Vec::len), GATES_MAX),
    ];
    let mut all = true;
    for (what, count, most) in lists {
        all &= within(what, count.unwrap_or(0), most, at, problems);
    }
    all
}

/// A service may be asked to bear the loss of regions that there are.
pub(crate) fn tolerable(asked: Option<Sp<u32>>, regions: usize, problems: &mut Problems) {
    let Some(asked) = asked.filter(|asked| asked.value as usize > regions && regions > 0) else {
        return;
    };
    let message =
        format!("the loss of {} regions is to be borne, and there are {regions}", asked.value);
    let problem = Problem::new("range", asked.span, message).label("more than there are");
    problems.push(problem.help(format!("At most {regions}")));
}

/// Readings that fall due while assets send.
pub(crate) fn readings(count: u128, at: Span, problems: &mut Problems) {
    if count > READINGS_MAX {
        let message = format!("{count} readings fall due in this drill");
        let problem = Problem::new("range", at, message).label("more than can be kept and judged");
        problems.push(problem.help(format!(
            "At most {READINGS_MAX}: take fewer assets, longer intervals, less load or shorter phases"
        )));
    }
}
