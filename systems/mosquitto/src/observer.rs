//! The observer: a subscriber of every broker, each over a connection of its own; and after heal, what each broker kept for a session that
//! was away all the time.
//!
//! A subscriber has no position in what it is sent, so marks stand in: a position is the time at which a mark was given to every broker.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use model::{NodeId, ShardId, Sighting, envelope::Envelope};
use schemars::JsonSchema;
use seams::{Network, Observer, SightingSink, Site, SystemError, Vantage};
use serde::{Deserialize, Serialize};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    SHARD,
    keeper::{self, answered, marked},
    sight::Sight,
    topics,
    wire::{Client, Come},
};

/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(200);

/// Sees what all brokers hand out: all of them, from its own region, so a cut from one of them makes it blind. The read-back is what the
/// brokers kept for a session that subscribed before the traffic and has been away since.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MqttObserver {}

impl MqttObserver {
    pub(crate) fn of(self, site: &Site) -> Arc<dyn Observer> {
        Arc::new(Watcher { site: site.clone() })
    }
}

#[derive(Debug)]
struct Watcher {
    site: Site,
}

#[async_trait]
impl Observer for Watcher {
    async fn watch(
        &self,
        network: Arc<dyn Network>,
        vantage: Vantage,
        sink: Arc<dyn SightingSink>,
    ) -> SystemError {
        let nodes: Vec<NodeId> = self.site.nodes().cloned().collect();
        let sight = Arc::new(Sight::new(vantage.clock.clone(), sink.clone(), nodes.len()));
        let mut tails = JoinSet::new();
        for (number, node) in nodes.into_iter().enumerate() {
            let tail = Tail {
                network: network.clone(),
                vantage: vantage.clone(),
                sink: sink.clone(),
                sight: sight.clone(),
                run: self.site.run,
                number,
                node,
            };
            tails.spawn(async move {
                loop {
                    // Whatever ended it, the answer is to connect again.
                    let _ended = tail.follow().await;
                    sleep(PAUSE).await;
                }
            });
        }
        while tails.join_next().await.is_some_and(|ended| ended.is_ok()) {}
        SystemError::Answer { doing: "follow the brokers".into(), why: "a task ended".into() }
    }

    /// Gives every broker a mark.
    async fn head(
        &self,
        network: Arc<dyn Network>,
        vantage: &Vantage,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        let mark = mark(vantage);
        for node in self.site.nodes() {
            let opened = keeper::open(&*network, &vantage.origin, node, Client::default()).await?;
            let payload = mark.to_be_bytes().to_vec().into();
            let doing = format!("give {node} a mark");
            answered(&doing, opened.wire.publish(topics::marks(self.site.run), payload)).await?;
        }
        Ok(BTreeMap::from([(SHARD.into(), mark)]))
    }

    async fn read_back(
        &self,
        network: Arc<dyn Network>,
        vantage: &Vantage,
        sink: Arc<dyn SightingSink>,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        let (run, mark) = (self.site.run, mark(vantage));
        for node in self.site.nodes() {
            let show = |come| show(&come, run, vantage, &*sink);
            keeper::collect(&*network, &vantage.origin, node, run, mark, show).await?;
        }
        sink.passed(&SHARD.into(), mark);
        Ok(BTreeMap::from([(SHARD.into(), mark)]))
    }
}

/// The next mark: later ones are higher.
fn mark(vantage: &Vantage) -> u64 {
    u64::try_from(vantage.clock.now().0).unwrap_or(0).max(1)
}

/// A message of another run is nobody's.
fn show(come: &Come, run: u64, vantage: &Vantage, sink: &dyn SightingSink) {
    let Ok(envelope) = Envelope::read(&come.payload) else { return };
    if envelope.run == run {
        let (identity, at) = (envelope.identity, vantage.clock.stamp(come.at));
        sink.saw(Sighting { identity, at, position: None, intact: true });
    }
}

/// Follows one broker.
struct Tail {
    network: Arc<dyn Network>,
    vantage: Vantage,
    sink: Arc<dyn SightingSink>,
    sight: Arc<Sight>,
    run: u64,
    number: usize,
    node: NodeId,
}

impl Tail {
    /// One connection, from the try to make it to its end.
    async fn follow(&self) -> Result<(), SystemError> {
        let client = Client { session: None, acks: true };
        let mut opened =
            keeper::open(&*self.network, &self.vantage.origin, &self.node, client).await?;
        let doing = format!("subscribe at {}", self.node);
        answered(&doing, opened.wire.subscribe(topics::all(self.run))).await?;
        self.sight.found(self.number);
        let mut heard = self.vantage.clock.now();
        while let Some(come) = opened.come.recv().await {
            heard = self.vantage.clock.stamp(come.at);
            match marked(&come, self.run) {
                Some(mark) => self.sight.passed(self.number, mark),
                None => show(&come, self.run, &self.vantage, &*self.sink),
            }
        }
        self.sight.lost(self.number, heard);
        Ok(())
    }
}
