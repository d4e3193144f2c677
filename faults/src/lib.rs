//! Floor 2: fault kinds, one file each. Each is pure: parameters, the time since its opening and the picked nodes in, Conditions out.
//!
//! * `asset`: assets: their boots, their signal, their connections
//! * `degrade`: links get slow, lossy or narrow; nothing is cut
//! * `kill`: processes end and stay down
//! * `links`: which links a fault means
//! * `partition`: packets between groups are lost or refused
//! * `pause`: a node stands still and goes on where it was
//! * `power_loss`: a node goes silent, and boots later
//! * `process`: one process of a node, or all of them
//! * `region_loss`: all nodes of a region at one instant
//! * `target`: the words that say whom a fault hits
//!
//! Absent on purpose: when a fault opens and closes, who is leader, what a lab does about it.

mod asset;
mod degrade;
mod kill;
mod links;
mod partition;
mod pause;
mod power_loss;
mod process;
mod region_loss;
mod target;

use seams::catalog::{Catalog, MakeFault, fault};

pub use asset::{Absence, Asset};
pub use degrade::Degrade;
pub use kill::{Kill, Signal};
pub use links::{Direction, Others};
pub use partition::Partition;
pub use pause::{Machinery, Pause};
pub use power_loss::PowerLoss;
pub use region_loss::{Loss, RegionLoss};
pub use target::{Aim, HowMany};

/// Every fault kind, one line each.
pub static CATALOG: Catalog<MakeFault> = Catalog {
    noun: "fault",
    kinds: &[
        fault::<Asset>(
            "asset",
            "Assets fall silent or hang up, all of a cell at once, and come back when the window closes.",
            asset::EXAMPLE,
        ),
        fault::<Degrade>(
            "degrade",
            "Links get slow, lossy or narrow; nothing is cut.",
            degrade::EXAMPLE,
        ),
        fault::<Kill>(
            "kill",
            "The processes of a node, or one of them, end and stay down until the window closes; peers see their connections close.",
            kill::EXAMPLE,
        ),
        fault::<Partition>(
            "partition",
            "Packets between groups of nodes, or between nodes and their clients, are lost or refused.",
            partition::EXAMPLE,
        ),
        fault::<Pause>(
            "pause",
            "A node, or one of its processes, stands still: a long garbage collection, or a whole machine that hangs.",
            pause::EXAMPLE,
        ),
        fault::<PowerLoss>(
            "power-loss",
            "A node loses power: silence, never a FIN, and it boots when the window closes.",
            power_loss::EXAMPLE,
        ),
        fault::<RegionLoss>(
            "region-loss",
            "All nodes of a region at one instant: their power, or their network.",
            region_loss::EXAMPLE,
        ),
    ],
};
