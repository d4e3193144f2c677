//! What a plan asks of its lab, against what the lab offers on this machine. Told before anything starts: a lever that a lab does not
//! have would be found out in the middle of the run, and a steady link without it never.

use std::{collections::BTreeSet, fmt};

use model::{
    End, Lever, Plan, Pulled, Topology,
    plan::{Line, Target, Window},
};
use seams::{Fault, Moment};

/// One part of a plan that the lab cannot do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// Such as "the fault `slow`".
    pub what: String,
    /// Where the scenario has it; None for a part that no file names.
    pub written: Option<Line>,
    /// What the lab does not offer of it. Never empty.
    pub levers: BTreeSet<Lever>,
}

/// What a part of a plan asks for.
type Asked = Lacking;

/// Every part of the plan that the lab cannot do, in the order of a scenario.
pub(crate) fn lacking(
    plan: &Plan,
    windows: &[(Window, Box<dyn Fault>)],
    offers: &BTreeSet<Lever>,
) -> Vec<Lacking> {
    let mut lacking: Vec<Lacking> = vec![];
    for Asked { what, written, levers } in asked(plan, windows) {
        // The fleets are the harness's own: what they do needs no lab.
        let is_lacking = |lever: &Lever| match lever.pulled() {
            Pulled::ByFleets => false,
            Pulled::OnLinks | Pulled::OnNodes => !offers.contains(lever),
        };
        let levers: BTreeSet<Lever> = levers.into_iter().filter(is_lacking).collect();
        // What is written once is told once: a pair goes both ways, a fleet has an access link in every region.
        let told = lacking.iter_mut().find(|one| one.written.is_some() && one.written == written);
        match told {
            Some(told) => told.levers.extend(levers),
            None if levers.is_empty() => {}
            None => lacking.push(Lacking { what, written, levers }),
        }
    }
    lacking
}

/// The steady world and every window, in the order in which a scenario has them.
fn asked(plan: &Plan, windows: &[(Window, Box<dyn Fault>)]) -> Vec<Asked> {
    let topology = &plan.topology;
    let written = &plan.source.written;
    let tracks = topology.wan_tracks.iter().map(|(pair, track)| (pair, track.levers()));
    let qualities = topology.wan.iter().map(|(pair, quality)| (pair, quality.levers()));
    let links = qualities.chain(tracks).map(|(pair, levers)| Asked {
        what: format!("the link `{} ~ {}`", pair.0, pair.1),
        written: written.links.get(pair).cloned(),
        levers,
    });
    let access = topology.cells.iter().map(|(name, cell)| {
        let levers = cell.access.levers().into_iter().chain(cell.track.levers()).collect();
        match &cell.fleet {
            Some(fleet) => Asked {
                what: format!("the access of the fleet `{fleet}`"),
                written: written.access.get(fleet).cloned(),
                levers,
            },
            None => Asked { what: format!("the access of `{name}`"), written: None, levers },
        }
    });
    let faults = windows.iter().map(|(window, fault)| Asked {
        what: format!("the fault `{}`", window.id),
        written: written.windows.get(&window.id).cloned(),
        levers: levers(plan, window, fault.as_ref()),
    });
    links.chain(access).chain(faults).collect()
}

/// Whatever the fault asks for while its window is open, wherever its targets will be.
pub(crate) fn levers(plan: &Plan, window: &Window, fault: &dyn Fault) -> BTreeSet<Lever> {
    let lasts = window.closes_latest().saturating_sub(window.opens_earliest());
    let changes = fault.moments().take_while(|elapsed| elapsed.is_zero() || *elapsed < lasts);
    let picks = picks(&plan.topology, &fault.targets());
    let mut levers = BTreeSet::new();
    for elapsed in changes {
        for picked in &picks {
            let moment = Moment { elapsed, topology: &plan.topology, picked };
            levers.extend(fault.at(&moment).levers().into_iter().map(|(lever, _)| lever));
        }
    }
    levers
}

/// Ways in which the targets may be picked. Who holds a role is not known yet, and one way is not enough: a fault that cuts the picked
/// nodes from the others does nothing where everybody is picked.
fn picks(topology: &Topology, targets: &[Target]) -> [Vec<Vec<End>>; 2] {
    let all = targets.iter().map(|target| target.fitting(topology)).collect();
    // Another end for each target, since two sides of one fault are never the same node.
    let one = |(number, target): (usize, &Target)| {
        let fit = target.fitting(topology);
        fit.get(number % fit.len().max(1)).cloned().into_iter().collect()
    };
    [all, targets.iter().enumerate().map(one).collect()]
}

/// Such as "drill.yaml:6:5: the link `a ~ b` needs Mtu".
impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, written, levers } = self;
        if let Some(line) = written {
            write!(f, "{line}: ")?;
        }
        let levers: Vec<String> = levers.iter().map(|lever| format!("{lever:?}")).collect();
        write!(f, "{what} needs {}", levers.join(", "))
    }
}
