//! The observer: reads every node of the service by its cursor, each over a connection of its own, and reads all of them back after heal.
//!
//! Nodes know nothing of each other, so what the service holds is what all of them hold. A node says up to which position it has shown
//! everything; the service has, up to the least of these.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use hyper::Response;
use model::{Identity, Micros, NodeId, ShardId, Sighting};
use schemars::JsonSchema;
use seams::{Clock, Network, Observer, SightingSink, Site, SystemError, Vantage};
use serde::{Deserialize, Serialize};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    SHARD,
    client::{CALL_TIMEOUT, Client},
    reading::{FORGOTTEN, PASSED, Reading},
};

/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(200);
/// A node answers a long poll after this long at the latest.
const WAIT: Duration = Duration::from_millis(500);
/// Readings of one answer.
const PAGE: usize = 10_000;

/// Sees what the nodes of a `sink` hold: all of them, from its own region, so a cut from one of them makes it blind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpObserver {}

impl HttpObserver {
    pub(crate) fn of(self, site: &Site) -> Arc<dyn Observer> {
        Arc::new(Watcher { site: site.clone() })
    }
}

#[derive(Debug)]
struct Watcher {
    site: Site,
}

/// One answer.
struct Page {
    readings: Vec<Reading>,
    passed: u64,
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
            let heard = vantage.clock.now();
            let (network, vantage) = (network.clone(), vantage.clone());
            let (sink, sight, run) = (sink.clone(), sight.clone(), self.site.run);
            let mut tail =
                Tail { network, vantage, sink, sight, run, number, node, after: 0, heard };
            tails.spawn(async move {
                loop {
                    // Whatever ended it, the answer is to connect again.
                    let _ = tail.follow().await;
                    tail.sight.lost(tail.number, tail.heard);
                    sleep(PAUSE).await;
                }
            });
        }
        while tails.join_next().await.is_some_and(|ended| ended.is_ok()) {}
        SystemError::Answer { doing: "follow the nodes".into(), why: "a task ended".into() }
    }

    /// The newest position of any node.
    async fn head(
        &self,
        network: Arc<dyn Network>,
        vantage: &Vantage,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        let mut newest = 0;
        for node in self.site.nodes() {
            let mut client = Client::connect(&*network, &vantage.origin, node).await?;
            newest = newest.max(page(&mut client, u64::MAX, Duration::ZERO).await?.passed);
        }
        Ok(BTreeMap::from([(SHARD.into(), newest)]))
    }

    async fn read_back(
        &self,
        network: Arc<dyn Network>,
        vantage: &Vantage,
        sink: Arc<dyn SightingSink>,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        let mut passed = u64::MAX;
        for node in self.site.nodes() {
            let mut client = Client::connect(&*network, &vantage.origin, node).await?;
            let mut after = 0;
            loop {
                let page = page(&mut client, after, Duration::ZERO).await?;
                show(&page.readings, self.site.run, vantage.clock.now(), &*sink);
                after = page.passed;
                if page.readings.len() < PAGE {
                    break;
                }
            }
            passed = passed.min(after);
        }
        sink.passed(&SHARD.into(), passed);
        Ok(BTreeMap::from([(SHARD.into(), passed)]))
    }
}

/// Follows one node.
struct Tail {
    network: Arc<dyn Network>,
    vantage: Vantage,
    sink: Arc<dyn SightingSink>,
    sight: Arc<Sight>,
    run: u64,
    number: usize,
    node: NodeId,
    after: u64,
    /// When the node last answered.
    heard: Micros,
}

impl Tail {
    /// One connection, from the try to make it to its end.
    async fn follow(&mut self) -> Result<(), SystemError> {
        let mut client = Client::connect(&*self.network, &self.vantage.origin, &self.node).await?;
        loop {
            let page = page(&mut client, self.after, WAIT).await?;
            self.heard = self.vantage.clock.now();
            show(&page.readings, self.run, self.heard, &*self.sink);
            self.after = page.passed;
            self.sight.found(self.number, page.passed);
        }
    }
}

/// # Errors
/// No answer, one that cannot be understood, or readings that the node no longer keeps.
async fn page(client: &mut Client, after: u64, wait: Duration) -> Result<Page, SystemError> {
    let path = format!("/readings?after={after}&limit={PAGE}&wait={}", wait.as_millis());
    let answer = client.get(&path, wait + CALL_TIMEOUT).await?;
    let failed = |why: &str| SystemError::Answer { doing: "read back".into(), why: why.into() };
    let readings = Reading::read_all(answer.body()).ok_or_else(|| failed("half a reading"))?;
    let passed = number(&answer, PASSED).ok_or_else(|| failed("no `wetdress-passed`"))?;
    if number(&answer, FORGOTTEN).is_some_and(|forgotten| forgotten > after) {
        return Err(failed("the node no longer keeps what was to be read; raise its `keep`"));
    }
    Ok(Page { readings, passed })
}

fn number(answer: &Response<Bytes>, name: &str) -> Option<u64> {
    answer.headers().get(name)?.to_str().ok()?.parse().ok()
}

/// Readings of another run are nobody's.
fn show(readings: &[Reading], run: u64, at: Micros, sink: &dyn SightingSink) {
    for reading in readings.iter().filter(|reading| reading.run == run) {
        let Reading { position, identity, .. } = *reading;
        let identity = Identity { ..identity };
        sink.saw(Sighting { identity, at, position: Some(position), intact: true });
    }
}

/// How far each node was seen, and when not all of them can be.
struct Sight {
    clock: Clock,
    sink: Arc<dyn SightingSink>,
    nodes: Mutex<Nodes>,
}

struct Nodes {
    passed: Vec<u64>,
    dark: Vec<bool>,
    since: Option<Micros>,
}

impl Sight {
    fn new(clock: Clock, sink: Arc<dyn SightingSink>, count: usize) -> Self {
        let nodes = Nodes { passed: vec![0; count], dark: vec![false; count], since: None };
        Self { clock, sink, nodes: Mutex::new(nodes) }
    }

    /// A node was last seen then and cannot be seen now.
    fn lost(&self, node: usize, last: Micros) {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.dark[node] = true;
        nodes.since = Some(nodes.since.map_or(last, |since| since.min(last)));
    }

    fn found(&self, node: usize, passed: u64) {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.passed[node] = passed;
        nodes.dark[node] = false;
        if nodes.dark.iter().all(|dark| !dark)
            && let Some(since) = nodes.since.take()
        {
            self.sink.blind(since, self.clock.now());
        }
        if let Some(all) = nodes.passed.iter().min().filter(|all| **all > 0) {
            self.sink.passed(&SHARD.into(), *all);
        }
    }
}
