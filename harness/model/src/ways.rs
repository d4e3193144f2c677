//! Which nodes may serve an asset.

use crate::{NodeId, Plan, RegionId, plan::Fleet};

impl Plan {
    /// Nodes of the service that a fleet sends to: in a home of its assets, and in the regions where those may go from there.
    pub fn ways<'a>(
        &'a self,
        fleet: &'a Fleet,
        home: &'a RegionId,
    ) -> impl Iterator<Item = &'a NodeId> {
        let elsewhere = fleet.failover.get(home);
        let within = move |region: &RegionId| {
            region == home || elsewhere.is_some_and(|list| list.contains(region))
        };
        let nodes = self.topology.nodes_of(&fleet.service);
        nodes.filter(move |node| within(&self.topology.nodes[*node].region))
    }
}
