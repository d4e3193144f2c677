//! The observer: a watch on the run's keys, and a read-back of one member's own store after heal.
//!
//! Positions are revisions. A response holds all events of each revision it names (we do not ask for fragments), so what it ends with has
//! been passed. Progress notices are not asked for: those asked for by hand run ahead of the events before etcd 3.4.25 and 3.5.8
//! (etcd issue 15220), and the newest key of the run already tells where its log ends.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use model::{NodeId, ShardId, Sighting, envelope::Envelope};
use schemars::JsonSchema;
use seams::{
    Network, Observer, SightingSink, Site, SystemError, Vantage,
    secure::{Access, Credentials},
};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};
use tonic::Streaming;

use crate::{
    CALL_TIMEOUT, CLIENT_PORT, PING_EVERY, PING_TIMEOUT, SHARD, calls, keys,
    proto::{
        etcdserverpb::WatchResponse,
        mvccpb::{KeyValue, event::EventType},
    },
    wire::{self, Keepalive, Wire, chain},
};

/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(200);

/// Sees what is put under the run's keys, on a member in its own region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EtcdObserver {
    /// Who reads, and whom it believes.
    credentials: Credentials,
}

impl EtcdObserver {
    pub(crate) fn of(self, site: &Site) -> Arc<dyn Observer> {
        let access = wire::access(site, &self.credentials);
        Arc::new(Watcher { access, site: site.clone(), shard: ShardId::from(SHARD) })
    }
}

#[derive(Debug)]
struct Watcher {
    site: Site,
    access: Access,
    shard: ShardId,
}

#[async_trait]
impl Observer for Watcher {
    async fn watch(
        &self,
        network: Arc<dyn Network>,
        vantage: Vantage,
        sink: Arc<dyn SightingSink>,
    ) -> SystemError {
        let members = match self.site.names_in(&vantage.region) {
            Ok(members) => members,
            Err(error) => return error,
        };
        let mut sight =
            Sight { watcher: self, vantage: &vantage, sink: &*sink, next: 1, dark: Instant::now() };
        loop {
            for member in &members {
                sight.look(&*network, member).await;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn head(
        &self,
        network: Arc<dyn Network>,
        vantage: &Vantage,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        let wire = self.any_member(&*network, vantage).await?;
        let answer =
            calls::answered("read the newest key", calls::newest(&wire, self.site.run)).await?;
        let newest = answer.kvs.first().map_or(0, |kv| calls::revision(kv.mod_revision));
        Ok(BTreeMap::from([(self.shard.clone(), newest)]))
    }

    /// A linearizable read makes the member catch up with its quorum; then its own store is read page by page at that revision. So the
    /// same call is the read of record, and compares the copies when it is made in every region.
    async fn read_back(
        &self,
        network: Arc<dyn Network>,
        vantage: &Vantage,
        sink: Arc<dyn SightingSink>,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        let wire = self.any_member(&*network, vantage).await?;
        let run = self.site.run;
        let newest = calls::answered("read the newest key", calls::newest(&wire, run)).await?;
        let head = newest.header.map_or(0, |header| header.revision);
        let mut from = keys::prefix(run);
        loop {
            let page =
                calls::answered("read a page of keys", calls::page(&wire, run, from, head)).await?;
            let at = wire.last_read();
            for kv in &page.kvs {
                // Another version under the key of one attempt: the system applied it twice.
                let twice = (kv.version > 1).then_some(kv.create_revision);
                for position in [Some(kv.mod_revision), twice].into_iter().flatten() {
                    self.show(kv, position, at, vantage, &*sink);
                }
            }
            match page.kvs.last() {
                Some(last) if page.more => from = [last.key.as_slice(), &[0]].concat(),
                _ => break,
            }
        }
        let head = calls::revision(head);
        sink.passed(&self.shard, head);
        Ok(BTreeMap::from([(self.shard.clone(), head)]))
    }
}

impl Watcher {
    /// The first member of the region that answers.
    async fn any_member(
        &self,
        network: &dyn Network,
        vantage: &Vantage,
    ) -> Result<Wire, SystemError> {
        let mut why = String::new();
        for member in self.site.names_in(&vantage.region)? {
            match open(network, vantage, &member, &self.access).await {
                Ok(wire) => return Ok(wire),
                Err(error) => why = error,
            }
        }
        Err(SystemError::Answer { doing: format!("reach a member in {}", vantage.region), why })
    }

    fn show(
        &self,
        kv: &KeyValue,
        position: i64,
        at: Instant,
        vantage: &Vantage,
        sink: &dyn SightingSink,
    ) {
        let run = self.site.run;
        let Some(identity) = keys::identity(run, &kv.key) else { return };
        let intact = Envelope::read(&kv.value)
            .is_ok_and(|envelope| envelope.run == run && envelope.identity == identity);
        sink.saw(Sighting {
            identity,
            at: vantage.clock.stamp(at),
            position: Some(calls::revision(position)),
            intact,
        });
    }
}

/// How far a watch has come.
struct Sight<'a> {
    watcher: &'a Watcher,
    vantage: &'a Vantage,
    sink: &'a dyn SightingSink,
    /// The first revision that has not been shown.
    next: i64,
    /// Until when everything was shown as it came; the beginning before the first watch.
    dark: Instant,
}

impl Sight<'_> {
    /// One connection, from the try to make it to its end.
    async fn look(&mut self, network: &dyn Network, member: &NodeId) {
        let Ok(wire) = open(network, self.vantage, member, &self.watcher.access).await else {
            return self.blind();
        };
        match timeout(CALL_TIMEOUT, calls::watch(&wire, self.watcher.site.run, self.next)).await {
            Ok(Ok(mut events)) => self.follow(&wire, &mut events).await,
            Ok(Err(_)) | Err(_) => return self.blind(),
        }
        // Until here the member was heard, if only by its answers to pings.
        self.dark = wire.last_read();
    }

    async fn follow(&mut self, wire: &Wire, events: &mut Streaming<WatchResponse>) {
        while let Ok(Some(response)) = events.message().await {
            if response.canceled {
                // What was compacted away cannot be shown any more.
                self.next = self.next.max(response.compact_revision);
                return;
            }
            if response.created {
                self.blind();
            }
            self.take(&response, wire.last_read());
        }
    }

    fn take(&mut self, response: &WatchResponse, at: Instant) {
        let puts = response.events.iter().filter(|event| event.r#type() == EventType::Put);
        for kv in puts.filter_map(|event| event.kv.as_ref()) {
            self.watcher.show(kv, kv.mod_revision, at, self.vantage, self.sink);
        }
        let last = response
            .events
            .iter()
            .filter_map(|event| event.kv.as_ref())
            .map(|kv| kv.mod_revision)
            .max();
        if let Some(last) = last {
            self.next = last + 1;
            self.sink.passed(&self.watcher.shard, calls::revision(last));
        }
    }

    /// Nothing was seen from the end of the last watch to now.
    fn blind(&mut self) {
        let now = Instant::now();
        self.sink.blind(self.vantage.clock.stamp(self.dark), self.vantage.clock.stamp(now));
        self.dark = now;
    }
}

async fn open(
    network: &dyn Network,
    vantage: &Vantage,
    member: &NodeId,
    access: &Access,
) -> Result<Wire, String> {
    let keepalive = Keepalive { interval: PING_EVERY, timeout: PING_TIMEOUT };
    let to = network.address(member, CLIENT_PORT);
    let opening = wire::open(network, &vantage.origin, to, keepalive, access);
    match timeout(CALL_TIMEOUT, opening).await {
        Ok(opened) => opened.map(|(wire, _)| wire).map_err(|error| chain(&error)),
        Err(_) => Err(format!("{member} did not answer within {CALL_TIMEOUT:?}")),
    }
}
