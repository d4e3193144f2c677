//! What a world leaves of the ways that it touches: whether somebody who needs a place still gets there.

use crate::{
    CellId, Claim, Conditions, End, Lever, Link, NodeId,
    conditions::{LinkCondition, NodeCondition},
};

/// What a lever takes from the place where it is pulled: whether somebody who needs the place still has a path to it. Ordered from
/// the least to the most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severs {
    /// The place is slower, narrower or less reliable, and is still reached.
    #[default]
    Nothing,
    /// Some ports are out of reach: who needs them is cut off, who does not is not.
    SomePorts,
    /// Nobody is served there.
    Everything,
}

impl Lever {
    /// What the lever severs at its place. Every question of this kind is answered here, for every lever.
    pub fn severs(self) -> Severs {
        match self {
            Self::Cut | Self::Reject | Self::Jam => Severs::Everything,
            Self::CutPorts | Self::RejectPorts | Self::JamPorts => Severs::SomePorts,
            Self::Delay
            | Self::Jitter
            | Self::Loss
            | Self::Duplicate
            | Self::Corrupt
            | Self::Reorder
            | Self::Rate
            | Self::Mtu => Severs::Nothing,
            Self::Stop | Self::Freeze | Self::Terminate | Self::Crash | Self::PowerLoss => {
                Severs::Everything
            }
            // Packets still reach a node whose disk or clock is wrong: what the stack makes of that is its own.
            Self::DiskDelay
            | Self::DiskError
            | Self::DiskFull
            | Self::DiskStall
            | Self::ClockOffset
            | Self::ClockRate => Severs::Nothing,
            Self::Disconnect | Self::Silence => Severs::Everything,
        }
    }

    /// The same of a node, or of one process there: others of the node may still serve, and who needs that one is cut off.
    fn severs_at(self, process: Option<&String>) -> Severs {
        let whole = self.severs();
        if process.is_some() { whole.min(Severs::SomePorts) } else { whole }
    }
}

impl Claim {
    /// What the lever severs at its end.
    pub fn severs(&self) -> Severs {
        self.lever.severs_at(self.process.as_ref())
    }
}

impl LinkCondition {
    /// What this condition leaves of the link.
    pub fn severs(&self) -> Severs {
        self.levers().into_iter().map(Lever::severs).max().unwrap_or_default()
    }
}

impl NodeCondition {
    pub(crate) fn severs(&self) -> Severs {
        let severs = |(lever, process): &(Lever, Option<String>)| lever.severs_at(process.as_ref());
        self.levers().iter().map(severs).max().unwrap_or_default()
    }
}

impl Conditions {
    /// What this world leaves of the way between the two ends of a link, in this direction.
    pub fn severs(&self, link: &Link) -> Severs {
        let on_the_way = self.links.get(link).map(LinkCondition::severs).unwrap_or_default();
        let at_ends = [&link.from, &link.to].map(|end| match end {
            End::Node(node) => self.nodes.get(node).map(NodeCondition::severs),
            End::Cell(cell) => self
                .fleets
                .get(cell)
                .and_then(|condition| condition.state.lever().map(Lever::severs)),
        });
        at_ends.into_iter().flatten().fold(on_the_way, Severs::max)
    }

    /// Whether nothing passes between the assets of a cell and a node. One direction is enough: what is sent and never answered is not
    /// acked either.
    pub fn cuts_off(&self, cell: &CellId, node: &NodeId) -> bool {
        let there = Link::new(End::Cell(cell.clone()), End::Node(node.clone()));
        [there.reversed(), there].iter().any(|link| self.severs(link) == Severs::Everything)
    }
}
