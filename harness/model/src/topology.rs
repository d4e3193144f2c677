//! Places and the ways between them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::Ipv4Addr,
};

use serde::{Deserialize, Serialize};

use crate::{CellId, FleetId, LinkQuality, NodeId, RegionId, ServiceId, ShardId, Track, ZoneId};

/// Everything that has a place. Filled by `plan`, addresses included, so that servers can be configured before anything runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Topology {
    pub regions: BTreeMap<RegionId, Region>,
    pub nodes: BTreeMap<NodeId, Node>,
    #[serde(default)]
    pub services: BTreeMap<ServiceId, Service>,
    pub cells: BTreeMap<CellId, Cell>,
    /// The steady way from one region to another, one way each.
    #[serde(with = "pairs")]
    pub wan: BTreeMap<(RegionId, RegionId), LinkQuality>,
    /// How a way between regions changes by the clock; one that is not named does not.
    #[serde(default, with = "pairs")]
    pub wan_tracks: BTreeMap<(RegionId, RegionId), Track>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Region {
    pub zones: Vec<ZoneId>,
}

/// A machine of the lab: address, disk, clock, power. It runs the processes of one service or of several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    pub region: RegionId,
    pub zone: Option<ZoneId>,
    pub services: BTreeSet<ServiceId>,
    /// From 198.18.0.0/16, the range set aside for benchmarks (RFC 2544).
    pub address: Ipv4Addr,
}

/// What the rest of the stack may know of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Ports of each of its nodes, by name.
    pub endpoints: BTreeMap<String, u16>,
    /// Services that it uses: they are brought up before it.
    pub needs: BTreeSet<ServiceId>,
    /// All its shards, in its own order: who sends to it or reads from it must know where.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shards: Vec<ShardId>,
}

/// A node by its place among the plan's nodes, in the order of their names, from 0. It is what travels where a name would cost.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct NodeIndex(pub u16);

/// Assets or observers of one region behind one access link. It has addresses of its own for each of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    pub region: RegionId,
    /// None: the cell of the region's observers.
    pub fleet: Option<FleetId>,
    /// First address; host `h` of the cell has `base + h`. From 198.19.0.0/16.
    pub base: Ipv4Addr,
    /// Prefix length of the cell's network.
    pub prefix: u8,
    /// How many addresses are in use, at most 2^(32 - prefix).
    pub hosts: u32,
    /// The hop between an asset and its region, the same each way.
    pub access: LinkQuality,
    /// How that hop changes by the clock, for all of the cell at once.
    #[serde(default, skip_serializing_if = "Track::is_empty")]
    pub track: Track,
}

impl Cell {
    /// The address of a host of the cell; wraps within the cell's prefix.
    pub fn address(&self, host: u32) -> Ipv4Addr {
        let size = 1u32.checked_shl(32 - u32::from(self.prefix)).unwrap_or(u32::MAX);
        Ipv4Addr::from(u32::from(self.base) + host % size)
    }
}

/// One of the two sides of a link.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    Node(NodeId),
    Cell(CellId),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(name) => f.pad(name.as_str()),
            Self::Cell(name) => f.pad(name.as_str()),
        }
    }
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One *direction* between two ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Link {
    pub from: End,
    pub to: End,
}

impl Link {
    pub fn new(from: End, to: End) -> Self {
        Self { from, to }
    }
    pub fn reversed(&self) -> Self {
        Self::new(self.to.clone(), self.from.clone())
    }
}

impl Topology {
    /// The region of an end; None for a name that is not in the topology.
    pub fn region_of(&self, end: &End) -> Option<&RegionId> {
        match end {
            End::Node(name) => self.nodes.get(name).map(|node| &node.region),
            End::Cell(name) => self.cells.get(name).map(|cell| &cell.region),
        }
    }

    /// Every node's index by its name.
    pub fn indices(&self) -> BTreeMap<NodeId, NodeIndex> {
        self.nodes.keys().cloned().zip((0..).map(NodeIndex)).collect()
    }

    /// Nodes first, then cells, each in the order of their names.
    pub fn ends(&self) -> impl Iterator<Item = End> + '_ {
        let nodes = self.nodes.keys().cloned().map(End::Node);
        nodes.chain(self.cells.keys().cloned().map(End::Cell))
    }

    /// Every direction in which packets may pass: between nodes, and between nodes and cells. Cells do not talk to each other.
    pub fn links(&self) -> impl Iterator<Item = Link> + '_ {
        self.ends().flat_map(move |from| {
            self.ends().filter_map(move |to| {
                let both_cells = matches!((&from, &to), (End::Cell(_), End::Cell(_)));
                (from != to && !both_cells).then(|| Link::new(from.clone(), to))
            })
        })
    }

    pub fn nodes_in<'a>(&'a self, region: &'a RegionId) -> impl Iterator<Item = &'a NodeId> + 'a {
        self.nodes.iter().filter(move |(_, node)| node.region == *region).map(|(name, _)| name)
    }

    pub fn nodes_of<'a>(&'a self, service: &'a ServiceId) -> impl Iterator<Item = &'a NodeId> + 'a {
        let runs = move |node: &Node| node.services.contains(service);
        self.nodes.iter().filter(move |(_, node)| runs(node)).map(|(name, _)| name)
    }

    /// Every service after those that it needs, by name where that leaves a choice.
    ///
    /// # Errors
    /// Services that need each other in a circle, each the next one; the last needs the first.
    pub fn start_order(&self) -> Result<Vec<ServiceId>, Vec<ServiceId>> {
        let mut order: Vec<ServiceId> = vec![];
        let mut left: BTreeSet<&ServiceId> = self.services.keys().collect();
        // What is not in the stack is nobody to wait for.
        let waits = |name: &ServiceId, left: &BTreeSet<&ServiceId>| {
            self.services[name].needs.iter().find(|need| left.contains(need)).cloned()
        };
        while let Some(first) = left.first().map(|name| (*name).clone()) {
            match left.iter().find(|name| waits(name, &left).is_none()).map(|name| (*name).clone())
            {
                Some(next) => {
                    left.remove(&next);
                    order.push(next);
                }
                None => return Err(circle(first, |name| waits(name, &left))),
            }
        }
        Ok(order)
    }

    /// Steady quality of a link: the access hops of its cells and the WAN between its regions.
    pub fn quality(&self, link: &Link) -> LinkQuality {
        let mut quality = LinkQuality::default();
        if let (Some(from), Some(to)) = (self.region_of(&link.from), self.region_of(&link.to))
            && let Some(wan) = self.wan.get(&(from.clone(), to.clone()))
        {
            quality = wan.clone();
        }
        for end in [&link.from, &link.to] {
            if let End::Cell(name) = end
                && let Some(cell) = self.cells.get(name)
            {
                quality = quality.then(&cell.access);
            }
        }
        quality
    }

    /// How a link changes by the clock, on top of its steady quality: the tracks of its cells and of the WAN between its regions.
    pub fn track(&self, link: &Link) -> Track {
        let mut track = Track::default();
        if let (Some(from), Some(to)) = (self.region_of(&link.from), self.region_of(&link.to))
            && let Some(wan) = self.wan_tracks.get(&(from.clone(), to.clone()))
        {
            track = wan.clone();
        }
        for end in [&link.from, &link.to] {
            if let End::Cell(name) = end
                && let Some(cell) = self.cells.get(name)
            {
                track = track.then(&cell.track);
            }
        }
        track
    }
}

/// The circle that one comes to by following, where everybody has somebody to follow.
fn circle(first: ServiceId, follows: impl Fn(&ServiceId) -> Option<ServiceId>) -> Vec<ServiceId> {
    let mut path = vec![first];
    while let Some(next) = path.last().and_then(&follows) {
        if let Some(begin) = path.iter().position(|name| *name == next) {
            return path.split_off(begin);
        }
        path.push(next);
    }
    path
}

/// JSON has no keys of two parts: the map is written as a list of `[from, to, value]`.
pub(crate) mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::RegionId;

    type Pairs<T> = BTreeMap<(RegionId, RegionId), T>;

    pub(crate) fn serialize<T: Serialize, S: Serializer>(
        map: &Pairs<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map.iter().map(|((from, to), value)| (from, to, value)))
    }

    pub(crate) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Pairs<T>, D::Error> {
        let list = Vec::<(RegionId, RegionId, T)>::deserialize(deserializer)?;
        Ok(list.into_iter().map(|(from, to, value)| ((from, to), value)).collect())
    }
}
