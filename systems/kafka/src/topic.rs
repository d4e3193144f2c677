//! The topic: its partitions as shards, and what brokers say of who leads them. The highest leader epoch wins.

use std::collections::BTreeMap;

use model::{NodeId, NodeIndex, ShardId};
use seams::Site;

/// One broker's view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// Brokers that are registered and not fenced.
    pub(crate) brokers: Vec<i32>,
    pub(crate) partitions: BTreeMap<i32, Partition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    /// None while nobody may lead.
    pub(crate) leader: Option<i32>,
    pub(crate) epoch: i32,
    pub(crate) replicas: Vec<i32>,
    pub(crate) in_sync: Vec<i32>,
}

impl View {
    /// What several brokers know together: of each partition what the one with the highest leader epoch says. An isolated leader goes
    /// on naming itself, in the old epoch.
    pub(crate) fn newest(views: impl IntoIterator<Item = Self>) -> Self {
        let mut newest = Self::default();
        for view in views {
            if view.brokers.len() > newest.brokers.len() {
                newest.brokers = view.brokers;
            }
            for (index, said) in view.partitions {
                let known = newest.partitions.entry(index).or_insert_with(|| said.clone());
                let fewer = said.epoch == known.epoch && said.in_sync.len() < known.in_sync.len();
                if said.epoch > known.epoch || fewer {
                    *known = said;
                }
            }
        }
        newest
    }

    /// Whether every one of so many partitions has a leader and all its replicas in sync.
    pub(crate) fn is_whole(&self, partitions: usize, replicas: usize) -> bool {
        let whole = |of: &Partition| of.leader.is_some() && of.in_sync.len() == replicas;
        self.partitions.len() == partitions && self.partitions.values().all(whole)
    }
}

/// A shard is called as Kafka calls a partition: `telemetry-0`.
pub(crate) fn shard(topic: &str, partition: i32) -> ShardId {
    ShardId::from(format!("{topic}-{partition}"))
}

/// An asset's readings all go to one partition, so that they stay in order.
pub(crate) fn partition_of(asset: u32, partitions: usize) -> i32 {
    let partitions = u32::try_from(partitions).unwrap_or(u32::MAX).max(1);
    i32::try_from(asset % partitions).unwrap_or(0)
}

/// The topic of a service and its partitions, as the service itself told the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) shards: Vec<ShardId>,
}

impl Topic {
    pub(crate) fn of(site: &Site) -> Self {
        let shards = site.shards().to_vec();
        let name = shards.first().and_then(|shard| shard.as_str().rsplit_once('-'));
        Self { name: name.map(|(topic, _)| topic.to_owned()).unwrap_or_default(), shards }
    }

    pub(crate) fn partitions(&self) -> impl Iterator<Item = (i32, &ShardId)> {
        (0..).zip(&self.shards)
    }
}

/// Brokers are numbered from 1, in the order of their nodes' names.
pub(crate) fn brokers(site: &Site) -> impl Iterator<Item = (i32, &NodeId)> {
    (1..).zip(site.nodes())
}

/// The node of a broker, and its place among the plan's nodes.
pub(crate) fn node_of(site: &Site, broker: i32) -> Option<(NodeIndex, &NodeId)> {
    let (_, name) = brokers(site).find(|(id, _)| *id == broker)?;
    let place = site.topology.nodes.keys().position(|node| node == name)?;
    Some((NodeIndex(u16::try_from(place).ok()?), name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(leader: Option<i32>, epoch: i32, in_sync: &[i32]) -> View {
        let partition =
            Partition { leader, epoch, replicas: vec![1, 2, 3], in_sync: in_sync.to_vec() };
        View { brokers: vec![1, 2, 3], partitions: [(0, partition)].into() }
    }

    #[test]
    fn the_highest_epoch_wins_over_a_leader_that_does_not_know_better() {
        let views =
            [view(Some(1), 4, &[1, 2, 3]), view(Some(2), 5, &[2, 3]), view(Some(1), 4, &[1, 2, 3])];
        assert_eq!(View::newest(views), view(Some(2), 5, &[2, 3]));
    }

    #[test]
    fn who_knows_of_a_smaller_set_in_sync_is_believed() {
        let views = [view(Some(1), 4, &[1, 2, 3]), view(Some(1), 4, &[1, 2])];
        let newest = View::newest(views);
        assert!(!newest.is_whole(1, 3));
        assert!(view(Some(1), 4, &[1, 2, 3]).is_whole(1, 3));
        assert!(!view(Some(1), 4, &[1, 2, 3]).is_whole(2, 3), "a partition is missing");
        assert!(!view(None, 5, &[1, 2, 3]).is_whole(1, 3), "nobody leads");
    }

    #[test]
    fn an_asset_keeps_to_its_partition() {
        assert_eq!([0, 1, 2, 3].map(|asset| partition_of(asset, 3)), [0, 1, 2, 0]);
        assert_eq!(partition_of(7, 0), 0);
    }
}
