//! The observer: reads the stream from its last place again and again, and one server whole after heal.
//!
//! Positions are ids of entries. A server that was made a replica of another one throws its own history away, so a server is read from the
//! beginning when the connection to it is new: places that were shown before are the same places.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use document::{
    units::Time,
    within::{HOUR, MS, Within},
};
use model::{NodeId, NodeIndex, ShardId, Sighting, envelope::Envelope, plan::Shows};
use redis::{Value, cmd};
use schemars::JsonSchema;
use seams::{Network, Observer, SightingSink, Site, SystemError, Vantage};
use serde::{Deserialize, Serialize};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    CALL_TIMEOUT, SERVER_PORT, SHARD, leader,
    link::{self, Link, answered},
    log,
};

/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(200);
/// Entries of one look.
const PAGE: usize = 1000;

/// Reads the stream of the run: with `shows: log` on the master, with `shows: replica` on a server in the observer's own region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedisObserver {
    /// Between two looks.
    poll: Within<Time, MS, HOUR>,
}

impl Default for RedisObserver {
    fn default() -> Self {
        Self { poll: Within::given(Time(Duration::from_millis(200))) }
    }
}

impl RedisObserver {
    pub(crate) fn of(self, site: &Site) -> Arc<dyn Observer> {
        Arc::new(Watcher { poll: self.poll.0, site: site.clone(), shard: ShardId::from(SHARD) })
    }
}

#[derive(Debug)]
struct Watcher {
    poll: Duration,
    site: Site,
    shard: ShardId,
}

/// A connection, and what drives it.
type Held = (Link, JoinSet<&'static str>);

#[async_trait]
impl Observer for Watcher {
    async fn watch(
        &self,
        network: Arc<dyn Network>,
        vantage: Vantage,
        sink: Arc<dyn SightingSink>,
    ) -> SystemError {
        let mut sight =
            Sight { watcher: self, vantage: &vantage, sink: &*sink, dark: Instant::now() };
        loop {
            // Why it ended is of no interest: what was not seen is told as blind.
            let _ended = sight.look(&network).await;
            sight.blind();
            sleep(PAUSE).await;
        }
    }

    async fn head(
        &self,
        network: Arc<dyn Network>,
        vantage: &Vantage,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        let (link, _task) = self.master(&network, vantage).await?;
        let last = self.last(&link).await?;
        Ok(BTreeMap::from([(self.shard.clone(), last)]))
    }

    /// A replica is waited for until it has what the master had when it was asked.
    async fn read_back(
        &self,
        network: Arc<dyn Network>,
        vantage: &Vantage,
        sink: Arc<dyn SightingSink>,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        let (mut link, mut _task) = self.master(&network, vantage).await?;
        let head = self.last(&link).await?;
        if vantage.shows == Shows::Replica {
            (link, _task) = self.own(&network, vantage).await?;
            while self.last(&link).await? < head {
                sleep(self.poll).await;
            }
        }
        let mut shown = 0;
        while shown < head {
            let next = self.show(&link, shown, vantage, &*sink).await?;
            if next == shown {
                break;
            }
            shown = next;
        }
        sink.passed(&self.shard, head.max(shown));
        Ok(BTreeMap::from([(self.shard.clone(), head.max(shown))]))
    }
}

impl Watcher {
    async fn master(
        &self,
        network: &Arc<dyn Network>,
        vantage: &Vantage,
    ) -> Result<Held, SystemError> {
        let indices = self.site.topology.indices();
        let nodes: Vec<(NodeIndex, NodeId)> = self
            .site
            .nodes()
            .filter_map(|name| Some((*indices.get(name)?, name.clone())))
            .collect();
        let why =
            match timeout(2 * CALL_TIMEOUT, leader::find(network, &vantage.origin, &nodes)).await {
                Ok(Ok(found)) => return Ok((found.link, found.task)),
                Ok(Err(why)) => why.to_owned(),
                Err(_) => format!("no answer within {:?}", 2 * CALL_TIMEOUT),
            };
        Err(SystemError::Answer { doing: "find the master".to_owned(), why })
    }

    /// The first server of the observer's own region that answers, whatever its role.
    async fn own(
        &self,
        network: &Arc<dyn Network>,
        vantage: &Vantage,
    ) -> Result<Held, SystemError> {
        let mut why = "none is there".to_owned();
        for (_, node) in self.site.nodes_in(&vantage.region) {
            let opening =
                link::open(&**network, &vantage.origin, network.address(node, SERVER_PORT));
            match timeout(CALL_TIMEOUT, opening).await {
                Ok(Ok(held)) => return Ok(held),
                Ok(Err(error)) => why = error.to_string(),
                Err(_) => why = format!("{node} did not answer within {CALL_TIMEOUT:?}"),
            }
        }
        Err(SystemError::Answer { doing: format!("reach a server in {}", vantage.region), why })
    }

    /// The last place of the stream; 0 of an empty one.
    async fn last(&self, link: &Link) -> Result<u64, SystemError> {
        let mut range = cmd("XREVRANGE");
        range.arg(log::key(self.site.run)).arg("+").arg("-").arg("COUNT").arg(1);
        let entries: Vec<Value> = answered("read the last entry", link.ask(&range)).await?;
        Ok(entries.into_iter().find_map(|entry| Some(parts(entry)?.0)).unwrap_or(0))
    }

    /// Shows what lies behind a place, a page of it; the last place shown.
    async fn show(
        &self,
        link: &Link,
        behind: u64,
        vantage: &Vantage,
        sink: &dyn SightingSink,
    ) -> Result<u64, SystemError> {
        let mut range = cmd("XRANGE");
        range.arg(log::key(self.site.run)).arg(format!("({}", log::id(behind))).arg("+");
        range.arg("COUNT").arg(PAGE);
        let entries: Vec<Value> = answered("read the stream", link.ask(&range)).await?;
        let at = vantage.clock.stamp(link.last_read());
        let mut last = behind;
        for (position, payload) in entries.into_iter().filter_map(parts) {
            last = position;
            let Ok(envelope) = Envelope::read(&payload) else { continue };
            if envelope.run == self.site.run {
                let identity = envelope.identity;
                sink.saw(Sighting { identity, at, position: Some(position), intact: true });
            }
        }
        Ok(last)
    }
}

/// Where an entry lies, and its payload.
fn parts(entry: Value) -> Option<(u64, Vec<u8>)> {
    let (id, fields): (String, Vec<Vec<u8>>) = redis::from_redis_value(entry).ok()?;
    Some((log::position(&id)?, fields.into_iter().nth(1)?))
}

/// How far the looking has come.
struct Sight<'a> {
    watcher: &'a Watcher,
    vantage: &'a Vantage,
    sink: &'a dyn SightingSink,
    /// Until when everything was shown as it came; the beginning before the first look.
    dark: Instant,
}

impl Sight<'_> {
    /// One connection, from the try to make it to its end.
    async fn look(&mut self, network: &Arc<dyn Network>) -> Result<(), SystemError> {
        let (link, _task) = match self.vantage.shows {
            Shows::Replica => self.watcher.own(network, self.vantage).await?,
            Shows::Log | Shows::CurrentValue => self.watcher.master(network, self.vantage).await?,
        };
        let (mut shown, mut told) = (0, 0);
        self.blind();
        loop {
            let began = Instant::now();
            if self.vantage.shows != Shows::Replica && leader::is_master(&link).await != Some(true)
            {
                return Ok(());
            }
            let last = self.watcher.show(&link, shown, self.vantage, self.sink).await?;
            // What another server has shown before has been passed.
            if last > shown && last > told {
                self.sink.passed(&self.watcher.shard, last);
                told = last;
            }
            let is_page = last != shown;
            shown = last;
            self.dark = began;
            if !is_page {
                sleep(self.watcher.poll).await;
            }
        }
    }

    /// Nothing was seen from the last look to now.
    fn blind(&mut self) {
        let now = Instant::now();
        self.sink.blind(self.vantage.clock.stamp(self.dark), self.vantage.clock.stamp(now));
        self.dark = now;
    }
}
