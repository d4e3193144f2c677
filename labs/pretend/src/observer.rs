//! Reads back what became visible, as a client of a node of its own region.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use document::{
    units::Time,
    within::{MINUTE, MS, Within},
};
use model::{Micros, NodeId, ShardId, Sighting, plan::Shows};
use schemars::JsonSchema;
use seams::{Network, Observer, SightingSink, Site, SystemError, Vantage};
use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

use crate::{
    STEP,
    client::Connection,
    lab::Memory,
    message::{Ask, Reply},
    service::memory,
};

/// An answer that takes longer is given up, and the connection with it.
const PATIENCE: Duration = Duration::from_secs(2);

/// A reader of the committed logs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObserverParams {
    /// Time between two looks: the resolution of what it sees.
    #[serde(default = "fifty_ms")]
    pub poll: Poll,
}

type Poll = Within<Time, { 10 * MS }, { 10 * MINUTE }>;

fn fifty_ms() -> Poll {
    Within::given(Time(Duration::from_millis(50)))
}

#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) params: ObserverParams,
    pub(crate) site: Site,
}

#[async_trait]
impl Observer for Reader {
    async fn watch(
        &self,
        network: Arc<dyn Network>,
        vantage: Vantage,
        sink: Arc<dyn SightingSink>,
    ) -> SystemError {
        let poll = self.params.poll.0.max(STEP);
        let (memory, node) = match (memory(&*network, "watch"), self.near(&vantage)) {
            (Ok(memory), Ok(node)) => (memory, node),
            (Err(error), _) | (_, Err(error)) => return error,
        };
        let mut after = BTreeMap::new();
        let mut seen = vantage.clock.now();
        loop {
            if let Ok(connection) =
                patient(Connection::open(&memory, vantage.origin.clone(), node.clone())).await
            {
                while let Some(shown) = self.look(&connection, &vantage, &after).await {
                    let at = vantage.clock.now();
                    if at.since(seen) > poll * 4 {
                        sink.blind(seen, at);
                    }
                    seen = at;
                    show(shown, at, &*sink, &mut after);
                    sleep(poll).await;
                }
            }
            sleep(poll).await;
        }
    }

    async fn head(
        &self,
        network: Arc<dyn Network>,
        vantage: &Vantage,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        let memory = memory(&*network, "read the ends")?;
        let mut best: BTreeMap<ShardId, (u64, u64)> = BTreeMap::new();
        for node in self.site.nodes() {
            let Some(Reply::Heads(heads)) = ask(&memory, vantage, node, Ask::Heads).await else {
                continue;
            };
            for (shard, head) in heads {
                let known = best.entry(shard).or_insert(head);
                *known = (*known).max(head);
            }
        }
        self.whole(
            &memory,
            best.into_iter().map(|(shard, (_, end))| (shard, end)).collect(),
            "read the ends",
        )
    }

    async fn read_back(
        &self,
        network: Arc<dyn Network>,
        vantage: &Vantage,
        sink: Arc<dyn SightingSink>,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        let memory = memory(&*network, "read back")?;
        let mut last = BTreeMap::new();
        for node in self.site.nodes() {
            let after = BTreeMap::new();
            if let Some(Reply::Shown(shown)) =
                ask(&memory, vantage, node, Ask::Entries { after, leading: true }).await
            {
                show(shown, vantage.clock.now(), &*sink, &mut last);
            }
        }
        self.whole(&memory, last, "read back")
    }
}

impl Reader {
    fn near(&self, vantage: &Vantage) -> Result<NodeId, SystemError> {
        let here = |node: &&NodeId| {
            self.site.topology.nodes.get(*node).is_some_and(|node| node.region == vantage.region)
        };
        let why = || SystemError::Answer {
            doing: "watch".to_owned(),
            why: format!("{} has no node in {}", self.site.service, vantage.region),
        };
        self.site.nodes().find(here).cloned().ok_or_else(why)
    }

    async fn look(
        &self,
        connection: &Connection,
        vantage: &Vantage,
        after: &BTreeMap<ShardId, u64>,
    ) -> Option<Shown> {
        let after = after.clone();
        let ask = match vantage.shows {
            Shows::CurrentValue => Ask::Values { after },
            Shows::Log | Shows::Replica => Ask::Entries { after, leading: false },
        };
        match timeout(PATIENCE, connection.ask(ask)).await {
            Ok(Some(Reply::Shown(shown))) => Some(shown),
            _ => None,
        }
    }

    /// Every shard must have answered: a part of the truth is no truth.
    fn whole(
        &self,
        memory: &Memory,
        ends: BTreeMap<ShardId, u64>,
        doing: &str,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        let shards =
            memory.world().groups.iter().filter(|group| group.service == self.site.service).count();
        if ends.len() == shards {
            return Ok(ends);
        }
        let why = format!("only {} of {shards} shards have a leader that answers", ends.len());
        Err(SystemError::Answer { doing: doing.to_owned(), why })
    }
}

type Shown = BTreeMap<ShardId, (Vec<Sighting>, u64)>;

fn show(shown: Shown, at: Micros, sink: &dyn SightingSink, after: &mut BTreeMap<ShardId, u64>) {
    for (shard, (sightings, upto)) in shown {
        sightings.into_iter().for_each(|sighting| sink.saw(Sighting { at, ..sighting }));
        if after.get(&shard) != Some(&upto) {
            sink.passed(&shard, upto);
            after.insert(shard, upto);
        }
    }
}

async fn ask(memory: &Memory, vantage: &Vantage, node: &NodeId, ask: Ask) -> Option<Reply> {
    let connection =
        patient(Connection::open(memory, vantage.origin.clone(), node.clone())).await.ok()?;
    timeout(PATIENCE, connection.ask(ask)).await.ok()?
}

async fn patient<T>(
    connect: impl Future<Output = Result<T, &'static str>>,
) -> Result<T, &'static str> {
    timeout(PATIENCE, connect).await.unwrap_or(Err("no answer"))
}
