//! The service: which programs a node runs, and what each broker says of itself.
//!
//! Every probe is made inside the asked node, so that it crosses no link, and asks the broker's own tables: a paused broker has none.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::BufMut;
use document::{units::Time, within::Within};
use model::{NodeId, ShardId};
use schemars::JsonSchema;
use seams::{
    Addresses, Command, Layout, Network, Objection, Origin, Process, Role, RoleName, Service, Site,
    SystemError, Timer, servers::Requirement,
};
use serde::{Deserialize, Serialize};

use crate::{
    CLIENT_PORT, NAMES_PORT, NODE_PORT,
    codec::{self, Value},
    link::{CHANNEL, Link, answered},
    node::{Copy, Node},
    queues,
    settings::{self, PartitionHandling, TickTime},
};

/// A RabbitMQ cluster, and the quorum queues that are made in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RabbitService {
    /// The broker: an absolute path, or a name to be found in the folder of installed servers or on PATH. Debian's wrapper on PATH wants to
    /// be root; the program that it calls does not. Seen to work with 3.10 on Erlang 25.
    program: PathBuf,
    /// How many quorum queues there are; each is a shard with a leader of its own. An asset's readings go to one of them.
    queues: Within<u32, 1, 64>,
    /// On how many brokers each queue lies.
    replicas: Within<u32, 1, 7>,
    /// How long a broker may be silent to another one before it is taken for dead, give or take a quarter. RabbitMQ's own default is 60 s.
    net_ticktime: TickTime,
    /// What a broker does that is cut off from others.
    partition_handling: PartitionHandling,
}

impl Default for RabbitService {
    fn default() -> Self {
        Self {
            program: "/usr/lib/rabbitmq/bin/rabbitmq-server".into(),
            queues: Within::given(1),
            replicas: Within::given(3),
            net_ticktime: Within::given(Time(Duration::from_secs(60))),
            partition_handling: PartitionHandling::default(),
        }
    }
}

impl RabbitService {
    pub(crate) fn on(self, site: &Site) -> Arc<dyn Service> {
        Arc::new(Cluster { params: self, site: site.clone() })
    }
}

#[derive(Debug)]
struct Cluster {
    params: RabbitService,
    site: Site,
}

const LEADER: RoleName = RoleName::leads("leader");
const FOLLOWER: RoleName = RoleName::copies("follower");

/// How often the raft library's failure detector looks, as RabbitMQ sets it (`aten`). It is what notices silence before `net_ticktime` does; a
/// leader whose process or connection ends is missed at once.
const DETECTOR: Duration = Duration::from_secs(5);

impl Layout for Cluster {
    fn processes(&self, node: &NodeId, at: &dyn Addresses) -> Vec<Process> {
        let RabbitService { program, net_ticktime, partition_handling, .. } = self.params.clone();
        let command =
            Command { program, env: settings::environment(node, at), ..Command::default() };
        // Erlang reads no cookie that others could read, and none that could be written.
        let lock = Command {
            program: "chmod".into(),
            args: vec!["400".to_owned(), "{data}/.erlang.cookie".to_owned()],
            ..Command::default()
        };
        vec![Process {
            name: "rabbitmq".to_owned(),
            files: settings::files(node, at, &self.site, net_ticktime, partition_handling),
            steps: vec![lock],
            command,
            ..Process::default()
        }]
    }

    fn endpoints(&self) -> &'static [(&'static str, u16)] {
        &[("client", CLIENT_PORT), ("node", NODE_PORT), ("names", NAMES_PORT)]
    }

    fn roles(&self) -> &'static [RoleName] {
        &[LEADER, FOLLOWER]
    }

    fn shards(&self) -> Vec<ShardId> {
        queues::all(*self.params.queues).collect()
    }

    fn shard_of(&self, asset: u32, _stream: u16) -> ShardId {
        let queues = self.shards();
        queues::of_asset(&queues, asset).cloned().expect("there is one queue at the least")
    }

    fn timers(&self) -> Vec<Timer> {
        let timer = |name: &str, value| Timer {
            name: name.to_owned(),
            value,
            // A broker that ends is missed at once.
            bounds_failover: false,
        };
        vec![
            timer("net_ticktime", self.params.net_ticktime.0),
            timer("failure detector poll", DETECTOR),
        ]
    }

    /// Three brokers that boot at once on two busy cores were seen to take most of a minute.
    fn ready_within(&self) -> Duration {
        Duration::from_secs(180)
    }

    fn check(&self) -> Vec<Objection> {
        let (replicas, nodes) = (self.replicas(), self.site.nodes().count());
        if replicas <= nodes {
            return vec![];
        }
        let message = format!("`replicas` is {replicas}, and the service has {nodes} nodes");
        vec![Objection::new("replicas", message).help(format!("At most {nodes}, or more nodes"))]
    }

    fn requirements(&self) -> Vec<Requirement> {
        // The program has no way to tell its version that would not start it.
        vec![Requirement::program(self.params.program.clone(), "rabbitmq")]
    }
}

#[async_trait]
impl Service for Cluster {
    /// Every broker runs, and knows of all others that they do.
    async fn ready(&self, network: &dyn Network) -> Result<(), SystemError> {
        let all = self.site.nodes().count();
        for name in self.site.nodes() {
            let running = self.inside(network, name).await?.running().await?;
            if running != all {
                return Err(SystemError::Answer {
                    doing: format!("find the cluster whole at {name}"),
                    why: format!("{running} of {all} brokers run"),
                });
            }
        }
        Ok(())
    }

    /// Each queue is made through another broker: it is led where it is made.
    async fn provision(&self, network: &dyn Network) -> Result<(), SystemError> {
        let nodes: Vec<_> = self.site.nodes().collect();
        for (queue, node) in self.shards().iter().zip(nodes.iter().cycle()) {
            let to = network.address(node, CLIENT_PORT);
            let mut link = Link::reach(network, &Origin::node(node), to).await?;
            link.ask(CHANNEL, codec::QUEUE_DECLARE, |out| {
                const DURABLE: u8 = 2;
                out.put_u16(0);
                codec::put_text(out, queue.as_str());
                out.put_u8(DURABLE);
                codec::put_table(
                    out,
                    &[
                        ("x-queue-type", Value::Text("quorum")),
                        (
                            "x-quorum-initial-group-size",
                            Value::Number(*self.params.replicas as i32),
                        ),
                    ],
                );
            });
            answered("make a queue", to, link.until(codec::QUEUE_DECLARE_OK)).await?;
        }
        Ok(())
    }

    async fn version(&self, network: &dyn Network) -> Result<String, SystemError> {
        let mut versions = BTreeSet::new();
        for node in self.site.nodes() {
            let (broker, machine) = self.inside(network, node).await?.version().await?;
            versions.insert(format!("RabbitMQ {broker} on Erlang {machine}"));
        }
        Ok(versions.into_iter().collect::<Vec<_>>().join(" and "))
    }

    async fn believes(
        &self,
        network: &dyn Network,
        node: &NodeId,
    ) -> Result<Vec<Role>, SystemError> {
        let members = self.inside(network, node).await?.members().await?;
        let role = |(shard, member): (ShardId, crate::node::Member)| {
            let role = if member.leads { LEADER } else { FOLLOWER };
            Role { shard, role, term: member.term }
        };
        Ok(members.into_iter().map(role).collect())
    }

    /// By the word of the first broker that knows: every copy of every queue is there, and has what was committed a moment ago.
    async fn redundant(&self, network: &dyn Network) -> Result<bool, SystemError> {
        let mut why = SystemError::Answer {
            doing: "find a broker".to_owned(),
            why: "the service has none".to_owned(),
        };
        for node in self.site.nodes() {
            match self.copies_by(network, node).await {
                Ok(whole) => return Ok(whole),
                Err(error) => why = error,
            }
        }
        Err(why)
    }
}

impl Cluster {
    fn replicas(&self) -> usize {
        *self.params.replicas as usize
    }

    /// A broker's node, asked from inside its own machine.
    async fn inside(&self, network: &dyn Network, node: &NodeId) -> Result<Node, SystemError> {
        Node::open(network, &Origin::node(node), node, &self.site).await
    }

    async fn copies_by(&self, network: &dyn Network, name: &NodeId) -> Result<bool, SystemError> {
        let mut node = self.inside(network, name).await?;
        for queue in self.shards() {
            let before = node.copies(&queue).await?;
            let after = node.copies(&queue).await?;
            if !are_in_step(&before, &after, self.replicas()) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Copies are asked one after the other: what was committed at the first round, each has written by the second.
fn are_in_step(before: &[Copy], after: &[Copy], replicas: usize) -> bool {
    let committed = before.iter().map(|copy| copy.committed).max().unwrap_or(0);
    let in_step = after.iter().filter(|copy| copy.is_there && copy.written >= committed);
    in_step.count() == replicas
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_is_behind_or_away_is_one_too_few() {
        let copy = |is_there, written, committed| Copy { is_there, written, committed };
        let before = [copy(true, 12, 10), copy(true, 9, 8), copy(true, 11, 10)];
        let whole = [copy(true, 15, 14), copy(true, 10, 10), copy(true, 15, 14)];
        assert!(are_in_step(&before, &whole, 3));
        let behind = [copy(true, 15, 14), copy(true, 9, 8), copy(true, 15, 14)];
        assert!(!are_in_step(&before, &behind, 3));
        let away = [copy(true, 15, 14), copy(false, 10, 10), copy(true, 15, 14)];
        assert!(!are_in_step(&before, &away, 3));
    }
}
