//! The observer: a consumer of every queue that acks nothing, so that the queue keeps what it has, and the same again after heal.
//!
//! A position is a place in the queue, counted from 1. A queue hands its messages out in order, and takes back what a consumer held that
//! is gone, in the order it had. So whoever begins while nobody holds anything sees all from the first on; before that moment nobody
//! looks. A queue gives each message to one consumer: there is one observer for each service, and its watch ends where its read-back begins.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::{BufMut, Bytes};
use model::{NodeId, ShardId, Sighting, envelope::Envelope};
use schemars::JsonSchema;
use seams::{Network, Observer, SightingSink, Site, SystemError, Vantage};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    CALL_TIMEOUT, CLIENT_PORT, codec,
    link::{CHANNEL, Link, answered},
    node::{Content, Node},
    said::Said,
};

/// Between two tries to connect, and two looks at who holds messages.
const PAUSE: Duration = Duration::from_millis(200);
/// How many messages a consumer may hold, the most that can be asked for: a queue of a run may hold no more.
const HELD_MAX: u16 = u16::MAX;

/// Sees what is in the queues of the run. It has no settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RabbitObserver {}

impl RabbitObserver {
    pub(crate) fn of(self, site: &Site) -> Arc<dyn Observer> {
        let (read_back, _) = watch::channel(false);
        Arc::new(Consumer { site: site.clone(), read_back })
    }
}

#[derive(Debug)]
struct Consumer {
    site: Site,
    /// Whether everything is being read again, so that nobody is to watch any more.
    read_back: watch::Sender<bool>,
}

#[async_trait]
impl Observer for Consumer {
    async fn watch(
        &self,
        network: Arc<dyn Network>,
        vantage: Vantage,
        sink: Arc<dyn SightingSink>,
    ) -> SystemError {
        let mut watched = JoinSet::new();
        for queue in self.site.shards() {
            let sight = Sight {
                place: Place {
                    site: self.site.clone(),
                    queue: queue.clone(),
                    vantage: vantage.clone(),
                },
                network: network.clone(),
                sink: sink.clone(),
                dark: Instant::now(),
            };
            let mut read_back = self.read_back.subscribe();
            watched.spawn(async move {
                tokio::select! {
                    () = sight.watch() => return,
                    // The consumer goes with its connection; nothing is left to watch.
                    _ = read_back.wait_for(|begun| *begun) => {}
                }
                std::future::pending().await
            });
        }
        watched.join_next().await;
        SystemError::Answer {
            doing: format!("watch the queues of {}", self.site.service),
            why: "a watch has ended, or there is nothing to watch".to_owned(),
        }
    }

    /// The last place of each queue, by the word of its leader. A queue without a message has no end.
    async fn head(
        &self,
        network: Arc<dyn Network>,
        vantage: &Vantage,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        let mut heads = BTreeMap::new();
        for queue in self.site.shards() {
            let place = self.place(queue, vantage);
            let all = place.content(&*network).await?.1.all;
            heads.extend((all > 0).then(|| (queue.clone(), all)));
        }
        Ok(heads)
    }

    async fn read_back(
        &self,
        network: Arc<dyn Network>,
        vantage: &Vantage,
        sink: Arc<dyn SightingSink>,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        self.read_back.send_replace(true);
        let mut last = BTreeMap::new();
        for queue in self.site.shards() {
            let place = self.place(queue, vantage);
            let (node, content) = loop {
                let (node, content) = place.content(&*network).await?;
                if content.held == 0 {
                    break (node, content);
                }
                // What the watch held comes back. The caller owns the patience.
                sleep(PAUSE).await;
            };
            let doing = format!("read {queue} back");
            let failed = |why: String| SystemError::Answer { doing: doing.clone(), why };
            if content.all > HELD_MAX.into() {
                let why =
                    format!("it holds {} messages, and a consumer at most {HELD_MAX}", content.all);
                return Err(failed(why));
            }
            if content.all == 0 {
                continue;
            }
            let mut link = place.consume(&*network, &node).await?;
            for position in 1..=content.all {
                // An answer of any kind, if only a heartbeat, comes sooner.
                let next = timeout(2 * CALL_TIMEOUT, next(&mut link)).await;
                let (payload, at) = next
                    .map_err(|_| failed(format!("nothing came after {} messages", position - 1)))?
                    .map_err(|ended| failed(ended.to_string()))?;
                place.show(&payload, position, at, &*sink);
            }
            sink.passed(queue, content.all);
            last.insert(queue.clone(), content.all);
        }
        Ok(last)
    }
}

impl Consumer {
    fn place(&self, queue: &ShardId, vantage: &Vantage) -> Place {
        Place { site: self.site.clone(), queue: queue.clone(), vantage: vantage.clone() }
    }
}

/// A queue, and from where it is looked at.
#[derive(Debug)]
struct Place {
    site: Site,
    queue: ShardId,
    vantage: Vantage,
}

impl Place {
    /// The brokers in the order in which they are tried: those of the observer's own region first.
    fn brokers(&self) -> Vec<NodeId> {
        let of = |name: &NodeId| self.site.topology.nodes.get(name).map(|node| &node.region);
        let mut all: Vec<_> = self.site.nodes().cloned().collect();
        all.sort_by_key(|name| of(name) != Some(&self.vantage.region));
        all
    }

    /// What the queue holds, and the first broker that could tell.
    async fn content(&self, network: &dyn Network) -> Result<(NodeId, Content), SystemError> {
        let mut why = SystemError::Answer {
            doing: "find a broker".to_owned(),
            why: "the service has none".to_owned(),
        };
        for broker in self.brokers() {
            match self.content_by(network, &broker).await {
                Ok(content) => return Ok((broker, content)),
                Err(error) => why = error,
            }
        }
        Err(why)
    }

    async fn content_by(
        &self,
        network: &dyn Network,
        broker: &NodeId,
    ) -> Result<Content, SystemError> {
        let mut node = Node::open(network, &self.vantage.origin, broker, &self.site).await?;
        node.content(&self.queue).await
    }

    /// Begins to consume through a broker. What comes is acked never.
    async fn consume(&self, network: &dyn Network, broker: &NodeId) -> Result<Link, SystemError> {
        let to = network.address(broker, CLIENT_PORT);
        let mut link = Link::reach(network, &self.vantage.origin, to).await?;
        link.ask(CHANNEL, codec::QOS, |out| {
            out.put_u32(0);
            out.put_u16(HELD_MAX);
            out.put_u8(0);
        });
        answered("ask for messages", to, link.until(codec::QOS_OK)).await?;
        link.ask(CHANNEL, codec::CONSUME, |out| {
            out.put_u16(0);
            codec::put_text(out, self.queue.as_str());
            codec::put_text(out, "wetdress");
            out.put_u8(0);
            codec::put_table(out, &[]);
        });
        answered("consume", to, link.until(codec::CONSUME_OK)).await?;
        Ok(link)
    }

    fn show(&self, payload: &Bytes, position: u64, at: Instant, sink: &dyn SightingSink) {
        // What is no envelope is nobody's.
        let Ok(envelope) = Envelope::read(payload) else { return };
        if envelope.run != self.site.run {
            return;
        }
        sink.saw(Sighting {
            identity: envelope.identity,
            at: self.vantage.clock.stamp(at),
            position: Some(position),
            intact: true,
        });
    }
}

/// How the watch of a queue goes.
struct Sight {
    place: Place,
    network: Arc<dyn Network>,
    sink: Arc<dyn SightingSink>,
    /// Until when everything was shown as it came; the beginning before the first look.
    dark: Instant,
}

impl Sight {
    async fn watch(mut self) {
        loop {
            for broker in self.place.brokers() {
                let _why = self.look(&broker).await;
                self.blind();
                sleep(PAUSE).await;
            }
        }
    }

    /// One consumer, from the wait for its turn to its end.
    async fn look(&mut self, broker: &NodeId) -> Result<(), SystemError> {
        while self.place.content_by(&*self.network, broker).await?.held > 0 {
            sleep(PAUSE).await;
        }
        let mut link = self.place.consume(&*self.network, broker).await?;
        self.blind();
        let mut position = 0;
        while let Ok((payload, at)) = next(&mut link).await {
            position += 1;
            self.place.show(&payload, position, at, &*self.sink);
            self.sink.passed(&self.place.queue, position);
            self.dark = at;
        }
        Ok(())
    }

    /// Nothing was seen from the end of the last look to now.
    fn blind(&mut self) {
        let (clock, now) = (&self.place.vantage.clock, Instant::now());
        self.sink.blind(clock.stamp(self.dark), clock.stamp(now));
        self.dark = now;
    }
}

/// The next message.
async fn next(link: &mut Link) -> Result<(Bytes, Instant), crate::link::Ended> {
    loop {
        if let (Said::Delivered(payload), at) = link.said().await? {
            return Ok((payload, at));
        }
    }
}
