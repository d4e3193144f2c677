//! What a plan needs of the machine, before anything is opened: a formula, not a trial.
//!
//! * **assets, probes**: what each fleet's driver has open at once ([`seams::Driver::connections`]). A connection that was left without a
//!   word is kept for a while, so that the other side is not told: a fleet needs its connections once more for every loss of signal
//!   within [`SILENT_KEPT`], and for every window that silences assets.
//! * **observers**: the watch, the question for the end beside it, and two files of sightings.
//! * **nodes**: the question for their roles and the one for redundancy, asked side by side.
//!
//! Every asset has an address of its own, so no fleet comes near the ports of one: those of a destination are counted per address.

use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc, time::Duration};

use model::{FleetId, Lever, Plan, plan::Window};
use seams::{Driver, Fault, Room, SILENT_KEPT};

use crate::offers::levers;

const OF_AN_OBSERVER: u64 = 4;
const OF_A_NODE: u64 = 2;

/// An upper bound.
pub(crate) fn room(
    plan: &Plan,
    drivers: &BTreeMap<FleetId, Arc<dyn Driver>>,
    windows: &[(Window, Box<dyn Fault>)],
    senders: NonZeroU32,
) -> Room {
    let silenced = |(window, fault): &&(Window, Box<dyn Fault>)| {
        levers(plan, window, fault.as_ref()).contains(&Lever::Silence)
    };
    let silenced = windows.iter().filter(silenced).count() as u64;
    let of_fleet = |(name, fleet): (&FleetId, &model::plan::Fleet)| {
        let senders = senders.get();
        let of_sender = |number| {
            let asked = fleet.connections_of_sender(number, senders).len() as u32;
            drivers.get(name).map_or(asked.into(), |driver| driver.connections(asked))
        };
        let at_once: u64 = (0..senders).map(of_sender).sum();
        let cells = fleet.cells.values().filter_map(|cell| plan.topology.cells.get(cell));
        let losses = cells.map(|cell| losses(&cell.track.contacts(plan.latest_end()))).max();
        at_once * (1 + losses.unwrap_or(0) + silenced)
    };
    let (nodes, cells) = (plan.topology.nodes.len() as u64, plan.topology.cells.len() as u64);
    Room {
        assets: plan.fleets.values().map(|fleet| u64::from(fleet.assets)).sum(),
        connections: plan.fleets.iter().map(of_fleet).sum(),
        questions: OF_AN_OBSERVER * plan.observers.len() as u64 + OF_A_NODE * nodes,
        places: nodes + cells,
        nodes,
    }
}

/// Most losses of signal within [`SILENT_KEPT`]; the last contact ends with the run.
fn losses(contacts: &[(Duration, Duration)]) -> u64 {
    let lost: Vec<Duration> =
        contacts.split_last().map_or(vec![], |(_, all)| all.iter().map(|(_, los)| *los).collect());
    let within = |from: &Duration| {
        lost.iter().filter(|los| (*from..*from + SILENT_KEPT).contains(*los)).count()
    };
    lost.iter().map(within).max().unwrap_or(0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_of_a_window_of_patience_are_kept() {
        let secs = Duration::from_secs;
        let passes = |n: u64, every: u64| -> Vec<(Duration, Duration)> {
            (0..n).map(|i| (secs(i * every), secs(i * every + every / 2))).collect()
        };
        assert_eq!(losses(&[]), 0);
        assert_eq!(losses(&passes(1, 100)), 0, "it is in contact to the end");
        assert_eq!(losses(&passes(4, 100)), 3);
        assert_eq!(losses(&passes(40, 100)), 6, "the older ones are closed by then");
    }
}
