//! The observer: fetches every partition as it grows, and reads it back after heal.
//!
//! Positions are offsets. A log is read up to its high watermark, which is what consumers see: what an isolated leader acks on its own
//! stays behind it. Every second all brokers are asked who leads, since a deposed leader that is cut off from its peers does not know.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use model::{NodeId, ShardId, plan::Shows};
use schemars::JsonSchema;
use seams::{Network, Observer, SightingSink, Site, SystemError, Vantage, secure::Credentials};
use serde::{Deserialize, Serialize};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::{
    CALL_TIMEOUT, CLIENT_PORT,
    calls::{self, At, Piece, answered, offset},
    leaders::ask_everybody,
    login::{Door, Sasl},
    records,
    topic::{self, Topic, View},
    wire::Wire,
};

/// Between two tries to read.
const PAUSE: Duration = Duration::from_millis(200);
/// Between two questions after who leads, and how long brokers that do not answer are waited for.
const ASK_EVERY: Duration = Duration::from_secs(1);
const ASK_PATIENCE: Duration = Duration::from_millis(500);
/// How long a broker holds a fetch back while nothing comes.
const FETCH_WAIT_MS: i32 = 250;

/// Sees what is in the partitions of the service's topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KafkaObserver {
    /// Who reads, and whom it believes.
    credentials: Credentials,
    sasl: Sasl,
}

impl KafkaObserver {
    pub(crate) fn of(self, site: &Site) -> Arc<dyn Observer> {
        let door = Door::of(site, &self.credentials, self.sasl);
        Arc::new(Reader { site: site.clone(), topic: Topic::of(site), door })
    }
}

#[derive(Clone, Debug)]
struct Reader {
    site: Site,
    topic: Topic,
    door: Door,
}

/// Which copy of a partition is read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Replica {
    node: NodeId,
    /// Of its leader; none for a follower, which may not have heard of the newest yet.
    epoch: Option<i32>,
}

#[async_trait]
impl Observer for Reader {
    async fn watch(
        &self,
        network: Arc<dyn Network>,
        vantage: Vantage,
        sink: Arc<dyn SightingSink>,
    ) -> SystemError {
        let mut watched = JoinSet::new();
        for (partition, shard) in self.topic.partitions() {
            let sight = Sight {
                reader: self.clone(),
                partition,
                shard: shard.clone(),
                network: network.clone(),
                vantage: vantage.clone(),
                sink: sink.clone(),
                next: 0,
                dark: Instant::now(),
            };
            watched.spawn(sight.watch());
        }
        watched.join_next().await;
        SystemError::Answer {
            doing: format!("watch the partitions of {}", self.site.service),
            why: "a watch has ended, or there is nothing to watch".to_owned(),
        }
    }

    /// The high watermark that each leader names: the offset before it is the last one. A partition without a record has no end.
    async fn head(
        &self,
        network: Arc<dyn Network>,
        vantage: &Vantage,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        let view = self.view(&network, vantage, CALL_TIMEOUT).await?;
        let mut ends = BTreeMap::new();
        for (partition, shard) in self.topic.partitions() {
            let (_, end) = self.bounds(&*network, vantage, &view, partition).await?;
            if end > 0 {
                ends.insert(shard.clone(), offset(end - 1));
            }
        }
        Ok(ends)
    }

    /// From the first offset to the high watermark that the leader names, out of the leader's log or, as a replica, out of the log of
    /// the region's own node.
    async fn read_back(
        &self,
        network: Arc<dyn Network>,
        vantage: &Vantage,
        sink: Arc<dyn SightingSink>,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        let view = self.view(&network, vantage, CALL_TIMEOUT).await?;
        let mut ends = BTreeMap::new();
        for (partition, shard) in self.topic.partitions() {
            let (mut next, end) = self.bounds(&*network, vantage, &view, partition).await?;
            let copy = self.copy(&view, partition, vantage)?;
            let wire = open(&*network, vantage, &copy.node, &self.door).await?;
            while next < end {
                let doing = || format!("read {shard} from {}", copy.node);
                let at = self.at(partition, next, &copy);
                let piece = answered(doing, calls::fetch(&wire, at)).await?;
                next = self.show(piece, next, vantage, &*sink);
            }
            if end > 0 {
                sink.passed(shard, offset(end - 1));
                ends.insert(shard.clone(), offset(end - 1));
            }
        }
        Ok(ends)
    }
}

impl Reader {
    async fn view(
        &self,
        network: &Arc<dyn Network>,
        vantage: &Vantage,
        patience: Duration,
    ) -> Result<View, SystemError> {
        let (from, topic) = (&vantage.origin, &self.topic.name);
        let view = ask_everybody(network, from, &self.site, topic, patience, &self.door).await;
        view.map_err(|why| trouble(format!("ask who leads {topic}"), why))
    }

    /// Where a partition begins and ends, by its leader.
    async fn bounds(
        &self,
        network: &dyn Network,
        vantage: &Vantage,
        view: &View,
        partition: i32,
    ) -> Result<(i64, i64), SystemError> {
        let leader = self.leader(view, partition)?;
        let wire = open(network, vantage, &leader.node, &self.door).await?;
        let at = |offset| self.at(partition, offset, &leader);
        let doing = || format!("ask {} for the ends of partition {partition}", leader.node);
        let start = answered(doing, calls::bound(&wire, at(calls::EARLIEST))).await?;
        let end = answered(doing, calls::bound(&wire, at(calls::LATEST))).await?;
        Ok((start, end))
    }

    fn leader(&self, view: &View, partition: i32) -> Result<Replica, SystemError> {
        let doing = || format!("find the leader of partition {partition}");
        let known = view.partitions.get(&partition);
        let known = known.ok_or_else(|| trouble(doing(), "the topic is not there"))?;
        let node = known.leader.and_then(|leader| topic::node_of(&self.site, leader));
        let (_, node) = node.ok_or_else(|| trouble(doing(), "nobody leads"))?;
        Ok(Replica { node: node.clone(), epoch: Some(known.epoch) })
    }

    /// The leader's, or the one in the observer's own region.
    fn copy(&self, view: &View, partition: i32, vantage: &Vantage) -> Result<Replica, SystemError> {
        if vantage.shows != Shows::Replica {
            return self.leader(view, partition);
        }
        let known = view.partitions.get(&partition);
        let replicas = known.into_iter().flat_map(|known| &known.replicas);
        let mut nodes = replicas.filter_map(|broker| topic::node_of(&self.site, *broker));
        let here = nodes.find(|(_, node)| {
            let place = self.site.topology.nodes.get(*node);
            place.is_some_and(|place| place.region == vantage.region)
        });
        let doing = || format!("find a replica of partition {partition} in {}", vantage.region);
        let (_, node) = here.ok_or_else(|| trouble(doing(), "none is there"))?;
        Ok(Replica { node: node.clone(), epoch: None })
    }

    fn at(&self, partition: i32, offset: i64, copy: &Replica) -> At<'_> {
        let epoch = copy.epoch.unwrap_or(-1);
        At { topic: &self.topic.name, partition, offset, epoch, wait_ms: FETCH_WAIT_MS }
    }

    /// Shows what a piece holds from `next` on, and returns the offset behind it.
    fn show(&self, piece: Piece, next: i64, vantage: &Vantage, sink: &dyn SightingSink) -> i64 {
        let at = vantage.clock.stamp(piece.at);
        let (found, behind) = records::read(self.site.run, piece.records, next);
        found.iter().filter_map(|found| found.sighting(at)).for_each(|seen| sink.saw(seen));
        behind
    }
}

/// How far the watch of a partition has come.
struct Sight {
    reader: Reader,
    partition: i32,
    shard: ShardId,
    network: Arc<dyn Network>,
    vantage: Vantage,
    sink: Arc<dyn SightingSink>,
    /// The first offset that has not been shown.
    next: i64,
    /// Until when everything was shown as it came; the beginning before the first fetch.
    dark: Instant,
}

impl Sight {
    async fn watch(mut self) {
        loop {
            let _why = self.look().await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// One connection, from the try to make it to its end.
    async fn look(&mut self) -> Result<(), SystemError> {
        let (reader, network) = (self.reader.clone(), self.network.clone());
        let view = reader.view(&network, &self.vantage, ASK_PATIENCE).await?;
        let copy = reader.copy(&view, self.partition, &self.vantage)?;
        let wire = open(&*network, &self.vantage, &copy.node, &reader.door).await?;
        let (partition, vantage) = (self.partition, self.vantage.clone());
        let deposed = reader.deposed(&network, &vantage, partition, &copy);
        tokio::select! {
            failed = self.follow(&reader, &wire, &copy) => failed,
            sure = deposed => {
                // What the deposed one has not shown since was to be seen elsewhere.
                self.dark = self.dark.min(sure);
                Ok(())
            }
        }
    }

    async fn follow(
        &mut self,
        reader: &Reader,
        wire: &Wire,
        copy: &Replica,
    ) -> Result<(), SystemError> {
        let mut first = true;
        loop {
            let at = reader.at(self.partition, self.next, copy);
            let doing = || format!("fetch {}", self.shard);
            let piece = answered(doing, calls::fetch(wire, at)).await?;
            if first {
                self.blind(piece.at);
            }
            first = false;
            self.dark = piece.at;
            // What is no longer there cannot be shown any more.
            let next = self.next.max(piece.start);
            self.next = reader.show(piece, next, &self.vantage, &*self.sink);
            if self.next > next {
                self.sink.passed(&self.shard, offset(self.next - 1));
            }
        }
    }

    /// Nothing was seen from the end of the last fetch to now.
    fn blind(&mut self, now: Instant) {
        let clock = &self.vantage.clock;
        self.sink.blind(clock.stamp(self.dark), clock.stamp(now));
    }
}

impl Reader {
    /// Resolves when another one leads the partition, with the last moment at which nobody said so.
    async fn deposed(
        &self,
        network: &Arc<dyn Network>,
        vantage: &Vantage,
        partition: i32,
        copy: &Replica,
    ) -> Instant {
        let mut sure = Instant::now();
        let Some(epoch) = copy.epoch else { return std::future::pending().await };
        loop {
            tokio::time::sleep(ASK_EVERY).await;
            let asked = Instant::now();
            let Ok(view) = self.view(network, vantage, ASK_PATIENCE).await else { continue };
            match view.partitions.get(&partition) {
                Some(known) if known.epoch > epoch => return sure,
                _ => sure = asked,
            }
        }
    }
}

async fn open(
    network: &dyn Network,
    vantage: &Vantage,
    node: &NodeId,
    door: &Door,
) -> Result<Wire, SystemError> {
    let to = network.address(node, CLIENT_PORT);
    match timeout(CALL_TIMEOUT, door.open(network, &vantage.origin, to)).await {
        Ok(Ok((wire, _driving))) => Ok(wire),
        Ok(Err(source)) => Err(SystemError::Io { doing: format!("connect to {node}"), source }),
        Err(_) => {
            let why = format!("no answer within {CALL_TIMEOUT:?}");
            Err(trouble(format!("connect to {node}"), &why))
        }
    }
}

fn trouble(doing: String, why: &str) -> SystemError {
    SystemError::Answer { doing, why: why.to_owned() }
}
