//! Descriptors: how many a run needs, and how many this machine gives. The harness is one process with all sockets of assets, observers
//! and probes, and with the fabric's devices; a server has the other ends of those that come to it, a file or two per peer, and the same
//! limit, so that it is enough to look at the harness.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use seams::{LabError, Room};

/// Of a place: its namespace, its device (two packet sockets at the most), the socket for canaries, and one to spare.
const OF_A_PLACE: u64 = 5;
/// Of a node: its init's control socket and pidfd, and one that is being replaced after a loss of power.
const OF_A_NODE: u64 = 4;
/// The two places of the null target, the fabric's own, two runtimes, the run folder, standard streams, and some to spare.
const OF_THE_HARNESS: u64 = 80;
/// More is of no use, and there are servers that make room for as many as they may have.
const ENOUGH: u64 = 1 << 20;

/// Each connection of an asset is a file at either end, and the usual soft limit is 1024: it is raised to the hard one, 2^20 at the
/// most, for the harness and for the servers alike, since a server has as many connections as the harness.
pub(crate) fn raise_limit() -> rustix::io::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let current = Some(maximum.map_or(ENOUGH, |most| most.min(ENOUGH)));
    setrlimit(Resource::Nofile, Rlimit { current, maximum })
}

/// Of one process of the lab.
pub(crate) fn limit() -> u64 {
    getrlimit(Resource::Nofile).maximum.map_or(ENOUGH, |most| most.min(ENOUGH))
}

/// Descriptors of the harness, at the most.
fn needed(room: &Room) -> u64 {
    let Room { assets: _, connections, questions, places, nodes } = room;
    connections + questions + OF_A_PLACE * places + OF_A_NODE * nodes + OF_THE_HARNESS
}

pub(crate) fn has_room(room: &Room, limit: u64) -> Result<(), LabError> {
    let needed = needed(room);
    if needed <= limit {
        return Ok(());
    }
    let Room { assets, connections, nodes, .. } = room;
    Err(LabError::Refused {
        what: format!(
            "open {needed} files in one process ({connections} for the connections of {assets} assets, the others for {nodes} nodes and \
             what watches them): this machine allows {limit}"
        ),
        remedy: remedy(needed),
    })
}

/// How to get room for so many.
pub(crate) fn remedy(needed: u64) -> String {
    let rounded = needed.next_multiple_of(1024);
    format!(
        "raise the hard limit, for example `sudo prlimit --pid $$ --nofile={rounded}:{rounded}`, in a container \
         `--ulimit nofile={rounded}`"
    )
}

/// Assets that a small stack of three nodes in three regions has room for.
pub(crate) fn assets_within(limit: u64) -> u64 {
    let stack = Room { questions: 3 * 4 + 3 * 2, places: 9, nodes: 3, ..Room::default() };
    limit.saturating_sub(needed(&stack))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(assets: u64) -> Room {
        Room { assets, connections: assets, questions: 18, places: 9, nodes: 3 }
    }

    #[test]
    fn a_plan_that_just_fits_is_let_in_and_one_asset_more_is_not() {
        let fits = assets_within(4096);
        assert_eq!(has_room(&room(fits), 4096).map_err(|error| error.to_string()), Ok(()));
        let error = has_room(&room(fits + 1), 4096).expect_err("one too many").to_string();
        for part in ["open 4097 files", "this machine allows 4096", "--nofile=5120:5120"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn every_part_of_a_plan_counts() {
        let none = Room::default();
        let more = [
            Room { connections: 7, ..none },
            Room { questions: 7, ..none },
            Room { places: 1, ..none },
            Room { nodes: 1, ..none },
        ];
        for room in more {
            assert!(needed(&room) > needed(&none), "{room:?}");
        }
    }
}
