//! The observer: follows the log or the current values of every shard at a node in its own region, and reads that node back after heal.
//!
//! Local reads while watching, so that what it sees is that copy's; linearizable ones for the end of the log and the read-back.

mod current;
mod log;
mod sight;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use document::{
    units::Time,
    within::{MINUTE, MS, Within},
};
use model::{
    Micros, NodeId, ShardId, Sighting, envelope::Envelope, envelope::Unreadable, plan::Shows,
};
use schemars::JsonSchema;
use seams::{Network, Observer, SightingSink, Site, SystemError, Vantage};
use serde::{Deserialize, Serialize};

use crate::{
    client::{self, Client, ClientError},
    cluster::{CALL_TIMEOUT, connect, nodes_in, shard_id, within},
    node::Status,
};

/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(200);
/// Patience with a linearizable read: an election may be under way.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Sees what the embedded service shows: its log, or with `shows: current_value` the newest reading of each stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReferenceObserver {
    /// Between two looks at current values; the log is followed as it grows.
    poll: Within<Time, MS, { 10 * MINUTE }>,
}

impl Default for ReferenceObserver {
    fn default() -> Self {
        Self { poll: Within::given(Time(Duration::from_millis(200))) }
    }
}

impl ReferenceObserver {
    pub(crate) fn of(self, site: &Site) -> Arc<dyn Observer> {
        Arc::new(Watcher { params: self, site: site.clone() })
    }
}

#[derive(Debug)]
struct Watcher {
    params: ReferenceObserver,
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
        let nodes = match nodes_in(&self.site, &vantage.region) {
            Ok(nodes) => nodes,
            Err(error) => return error,
        };
        match vantage.shows {
            Shows::CurrentValue => {
                current::watch(network, vantage, sink, nodes, self.params.poll.0).await
            }
            Shows::Log | Shows::Replica => log::watch(network, vantage, sink, nodes).await,
        }
    }

    /// The last position of every shard that has one.
    async fn head(
        &self,
        network: Arc<dyn Network>,
        vantage: &Vantage,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        let (mut client, shards) = self.any_node(&*network, vantage).await?;
        let mut heads = BTreeMap::new();
        for shard in 0..shards {
            let path = format!("/v1/log/{shard}?max=0&read=linearizable");
            let end = within(READ_TIMEOUT, "read the end of a log", async {
                end(&client.get(&path).await?)
            })
            .await?;
            heads.extend(end.checked_sub(1).map(|last| (shard_id(shard), last)));
        }
        Ok(heads)
    }

    async fn read_back(
        &self,
        network: Arc<dyn Network>,
        vantage: &Vantage,
        sink: Arc<dyn SightingSink>,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        let (mut client, shards) = self.any_node(&*network, vantage).await?;
        let mut heads = BTreeMap::new();
        for shard in 0..shards {
            let (id, mut from) = (shard_id(shard), 0);
            loop {
                let path = format!("/v1/log/{shard}?from={from}&read=linearizable");
                let page = async { client::readings(&client.get(&path).await?) };
                let page = within(READ_TIMEOUT, "read a page of a log", page).await?;
                let Some((last, _)) = page.last() else { break };
                from = last + 1;
                let at = vantage.clock.now();
                page.iter().for_each(|(position, payload)| show(*position, payload, at, &*sink));
            }
            if let Some(last) = from.checked_sub(1) {
                sink.passed(&id, last);
                heads.insert(id, last);
            }
        }
        Ok(heads)
    }
}

impl Watcher {
    /// The first node of the region that answers, and how many shards it has.
    async fn any_node(
        &self,
        network: &dyn Network,
        vantage: &Vantage,
    ) -> Result<(Client, u16), SystemError> {
        let mut why = None;
        for node in nodes_in(&self.site, &vantage.region)? {
            let opening = within(CALL_TIMEOUT, "reach a node", open(network, vantage, &node)).await;
            match opening {
                Ok(open) => return Ok(open),
                Err(error) => why = Some(error),
            }
        }
        Err(why.expect("a region without nodes was an error before"))
    }
}

/// A connection to a node, and how many shards it has.
async fn open(
    network: &dyn Network,
    vantage: &Vantage,
    node: &NodeId,
) -> Result<(Client, u16), ClientError> {
    let mut client = connect(network, &vantage.origin, node).await?;
    let status: Status = client::json(&client.get("/v1/status").await?)?;
    Ok((client, u16::try_from(status.shards.len()).unwrap_or(u16::MAX)))
}

/// The position after the last reading that can be read.
fn end(answer: &client::Answer) -> Result<u64, ClientError> {
    let text = client::header_text(answer, "wetdress-end")?;
    text.parse().map_err(|_| ClientError::Answer(format!("`{text}` is no position")))
}

fn show(position: u64, payload: &Bytes, at: Micros, sink: &dyn SightingSink) {
    let (envelope, intact) = match Envelope::read(payload) {
        Ok(envelope) => (envelope, true),
        Err(Unreadable::Corrupt(envelope)) => (envelope, false),
        // Somebody else wrote it: no reading of ours.
        Err(Unreadable::TooShort | Unreadable::Foreign) => return,
    };
    sink.saw(Sighting { identity: envelope.identity, at, position: Some(position), intact });
}
