//! The driver's connections: each asset, or gateway, has its own to whoever leads the partitions of its readings, and produces over it.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};

use kafka_protocol::error::ResponseError;
use model::{NodeIndex, Outcome};
use seams::{
    Answer, Attempt, Clock, ConnectRequest, Network, Opened, Origin, Protocol, Site, secure::cause,
};
use tokio::{
    sync::Notify,
    task::{JoinHandle, JoinSet},
};

use crate::{
    CLIENT_PORT,
    calls::{self, CallError},
    keys,
    leaders::Asked,
    login::Door,
    sender::{Sender, Terms},
    topic::{self, Topic, View},
    verdict,
};

/// The whole lane goes away.
const GIVEN_UP: &str = "the connection was given up";

pub(crate) struct KafkaDial {
    pub(crate) site: Site,
    pub(crate) topic: Topic,
    pub(crate) terms: Terms,
    /// How long it waits for every broker's word on who leads.
    pub(crate) patience: Duration,
    pub(crate) clock: Clock,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) asked: Asked,
    pub(crate) door: Door,
    /// Whose readings go over a line, by its number.
    pub(crate) carried: Mutex<BTreeMap<u32, Range<u32>>>,
}

/// Connections to those who lead, by partition: one, unless a gateway carries assets of partitions with several leaders.
#[derive(Clone, Debug)]
pub(crate) struct Leaders {
    of: Arc<BTreeMap<i32, Leader>>,
    /// A broker said that it does not lead: the fleet has to connect anew.
    sent_away: Arc<Notify>,
}

#[derive(Clone, Debug)]
struct Leader {
    node: NodeIndex,
    sender: Sender,
}

impl Protocol for KafkaDial {
    type Wire = Leaders;

    /// Each asset has a line of its own: a broker handles the requests of a connection one after the other, and with `acks: all` each
    /// takes a round trip between replicas, so that assets on one connection would wait for each other.
    fn line(&self, request: &ConnectRequest) -> Result<u32, &'static str> {
        let mut carried = self.carried.lock().expect("nobody panics while holding it");
        carried.insert(request.assets.start, request.assets.clone());
        Ok(request.assets.start)
    }

    async fn open(
        &self,
        network: Arc<dyn Network>,
        from: Origin,
        line: u32,
    ) -> Result<Opened<Leaders>, &'static str> {
        let view = self
            .asked
            .view(&network, &from, &self.site, &self.topic.name, self.patience, &self.door)
            .await?;
        let partitions = self.partitions(line);
        let mut wanted: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        for partition in partitions {
            let known = view.partitions.get(&partition).ok_or("the topic is not there")?;
            let leader = known.leader.ok_or("the partition has no leader")?;
            wanted.entry(leader).or_default().push(partition);
        }
        let (mut of, mut driven) = (BTreeMap::new(), JoinSet::new());
        for (broker, partitions) in wanted {
            let (leader, driving) =
                self.reach(&*network, &from, broker, &partitions, &view).await?;
            driven.spawn(async { driving.await.unwrap_or(GIVEN_UP) });
            of.extend(partitions.into_iter().map(|partition| (partition, leader.clone())));
        }
        let node = of.values().next().ok_or("the connection carries no asset")?.node;
        let sent_away = Arc::new(Notify::new());
        let told = sent_away.clone();
        let ended = async move {
            tokio::select! {
                why = driven.join_next() => why.and_then(Result::ok).unwrap_or(GIVEN_UP),
                () = told.notified() => "the broker does not lead the partition any more",
            }
        };
        let wire = Leaders { of: Arc::new(of), sent_away };
        Ok(Opened { wire, node, ended: Box::pin(ended) })
    }

    async fn send(&self, leaders: &Leaders, attempt: Attempt) -> Answer {
        let partition = topic::partition_of(attempt.identity.asset, self.topic.shards.len());
        // Not on its connection: an asset that the connection was not made for.
        let Some(leader) = leaders.of.get(&partition) else {
            return Answer::refused(self.clock.now());
        };
        let key = keys::key(self.site.run, &attempt.identity, attempt.number);
        match leader.sender.append(partition, key, attempt.payload).await {
            Ok(said) => {
                let at = self.clock.stamp(said.at);
                let (outcome, position) = match said.appended {
                    Ok(offset) => (Outcome::Acked, Some(offset)),
                    Err(error) => (self.failed(leaders, error), None),
                };
                Answer { outcome, at, by: Some(leader.node), position }
            }
            Err(error) => {
                self.network.failed(&error);
                let outcome = match error {
                    CallError::Wire(error) => verdict::of_failure(error),
                    CallError::Said(error) => self.failed(leaders, error),
                    CallError::Silent => Outcome::Unknown,
                };
                Answer { outcome, ..Answer::unknown(self.clock.now()) }
            }
        }
    }
}

impl KafkaDial {
    /// The partitions of the assets that a line carries.
    fn partitions(&self, line: u32) -> BTreeSet<i32> {
        let carried = self.carried.lock().expect("nobody panics while holding it");
        let assets = carried.get(&line).cloned().unwrap_or(line..line.saturating_add(1));
        let all = self.topic.shards.len();
        // The first so many assets meet every partition.
        assets.take(all.max(1)).map(|asset| topic::partition_of(asset, all)).collect()
    }

    /// Connects to a broker; the connection stands when the broker itself says that it leads, in no older epoch than anybody knows.
    async fn reach(
        &self,
        network: &dyn Network,
        from: &Origin,
        broker: i32,
        partitions: &[i32],
        newest: &View,
    ) -> Result<(Leader, JoinHandle<&'static str>), &'static str> {
        let (node, name) = topic::node_of(&self.site, broker).ok_or("the leader is no node")?;
        let to = network.address(name, CLIENT_PORT);
        let opened = self.door.open(network, from, to).await;
        let (wire, driving) =
            opened.map_err(|error| cause(&error).unwrap_or("the leader cannot be reached"))?;
        let own = calls::metadata(&wire, &self.topic.name).await;
        let own = own.map_err(|_| "the leader did not say whom it follows")?;
        let leads = |partition: &i32| {
            let epoch = newest.partitions.get(partition).map(|known| known.epoch);
            own.partitions
                .get(partition)
                .is_some_and(|own| own.leader == Some(broker) && Some(own.epoch) >= epoch)
        };
        if !partitions.iter().all(leads) {
            return Err("the broker does not know that it leads");
        }
        Ok((Leader { node, sender: Sender::new(wire, self.terms.clone()) }, driving))
    }

    fn failed(&self, leaders: &Leaders, error: ResponseError) -> Outcome {
        if verdict::sends_away(error) {
            leaders.sent_away.notify_one();
        }
        verdict::of_error(error, self.terms.acks)
    }
}
