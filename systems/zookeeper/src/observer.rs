//! The observer: reads node after node from the server of its own region, and all of them again after heal.
//!
//! Positions are the numbers of the nodes, counted from 1, without a gap. A server shows what it has applied, in the order of the
//! ensemble; how far it is behind the leader is what is seen. A read-back has it catch up with the leader first (`sync`).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use document::{
    units::Time,
    within::{HOUR, MS, Within},
};
use model::{NodeId, ShardId, Sighting, envelope::Envelope};
use schemars::JsonSchema;
use seams::{Network, Observer, SightingSink, Site, SystemError, Vantage};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    CALL_TIMEOUT, CLIENT_PORT, SHARD,
    jute::{self, Foreign, Op, Reply},
    nodes,
    session::{self, Session},
};

/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(200);
/// So many nodes are asked for at once.
const AHEAD: u64 = 256;

/// Reads the nodes of the run in its own region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ZooKeeperObserver {
    /// Between two looks at whether there is a next node.
    poll: Within<Time, MS, HOUR>,
}

impl Default for ZooKeeperObserver {
    fn default() -> Self {
        Self { poll: Within::given(Time(Duration::from_millis(200))) }
    }
}

impl ZooKeeperObserver {
    pub(crate) fn of(self, site: &Site) -> Arc<dyn Observer> {
        Arc::new(Reader { params: self, site: site.clone(), shard: ShardId::from(SHARD) })
    }
}

#[derive(Debug)]
struct Reader {
    params: ZooKeeperObserver,
    site: Site,
    shard: ShardId,
}

#[async_trait]
impl Observer for Reader {
    async fn watch(
        &self,
        network: Arc<dyn Network>,
        vantage: Vantage,
        sink: Arc<dyn SightingSink>,
    ) -> SystemError {
        let servers = match self.site.names_in(&vantage.region) {
            Ok(servers) => servers,
            Err(error) => return error,
        };
        let mut sight =
            Sight { reader: self, vantage: &vantage, sink: &*sink, next: 1, dark: Instant::now() };
        loop {
            for server in &servers {
                // Why it ended is of no interest: what was not seen is told as blind.
                let _why = sight.look(&*network, server).await;
                sight.blind();
                sleep(PAUSE).await;
            }
        }
    }

    async fn head(
        &self,
        network: Arc<dyn Network>,
        vantage: &Vantage,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        let session = self.any_server(&*network, vantage).await?;
        Ok(self.at(count(&session).await?))
    }

    async fn read_back(
        &self,
        network: Arc<dyn Network>,
        vantage: &Vantage,
        sink: Arc<dyn SightingSink>,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        let session = self.any_server(&*network, vantage).await?;
        let last = count(&session).await?;
        let mut next = 1;
        while next <= last {
            let found = self.read(&session, next, (last - next + 1).min(AHEAD), vantage, &*sink);
            let found = found.await?;
            if found == 0 {
                return Err(SystemError::Answer {
                    doing: format!("read {}", nodes::path(next)),
                    why: format!("it is not there, and {last} were created"),
                });
            }
            next += found;
        }
        if last > 0 {
            sink.passed(&self.shard, last);
        }
        Ok(self.at(last))
    }
}

/// How many nodes were created, by the word of a server that has caught up with the leader.
async fn count(session: &Session) -> Result<u64, SystemError> {
    let sync = |out: &mut _| jute::put_buffer(out, nodes::PARENT.as_bytes());
    session.done("catch up with the leader", Op::Sync, sync).await?;
    let doing = "count the nodes";
    let ask = |out: &mut _| jute::put_question(out, nodes::PARENT);
    let body = session.done(doing, Op::Exists, ask).await?;
    jute::child_changes(body).map_err(|Foreign| SystemError::Answer {
        doing: doing.to_owned(),
        why: "the answer cannot be read".to_owned(),
    })
}

impl Reader {
    /// An ensemble without a node has no end.
    fn at(&self, position: u64) -> BTreeMap<ShardId, u64> {
        (position > 0).then(|| (self.shard.clone(), position)).into_iter().collect()
    }

    /// The first server of the region that answers.
    async fn any_server(
        &self,
        network: &dyn Network,
        vantage: &Vantage,
    ) -> Result<Session, SystemError> {
        let mut why = None;
        for server in self.site.names_in(&vantage.region)? {
            let to = network.address(&server, CLIENT_PORT);
            match session::reach(network, &vantage.origin, to).await {
                Ok(session) => return Ok(session),
                Err(error) => why = Some(error),
            }
        }
        Err(why.unwrap_or_else(|| SystemError::Answer {
            doing: format!("reach a server in {}", vantage.region),
            why: "none is there".to_owned(),
        }))
    }

    /// Asks for so many nodes at once and shows those that are there; returns how many were, up to the first that is not.
    async fn read(
        &self,
        session: &Session,
        first: u64,
        many: u64,
        vantage: &Vantage,
        sink: &dyn SightingSink,
    ) -> Result<u64, SystemError> {
        let ask = |position: u64| {
            let path = nodes::path(position);
            session.ask(Op::GetData, move |out| jute::put_question(out, &path))
        };
        let asked: Vec<_> = (first..first + many).map(ask).collect();
        for (position, answer) in (first..).zip(asked) {
            let doing = || format!("read {}", nodes::path(position));
            let failed = |why: String| SystemError::Answer { doing: doing(), why };
            let (reply, at) = timeout(CALL_TIMEOUT, answer)
                .await
                .map_err(|_| failed(format!("no answer within {CALL_TIMEOUT:?}")))?
                .map_err(|why| failed(why.to_string()))?;
            match reply.error {
                jute::OK => self.show(&reply, position, at, vantage, sink),
                jute::NO_NODE => return Ok(position - first),
                error => return Err(failed(format!("the server answers with the error {error}"))),
            }
        }
        Ok(many)
    }

    fn show(
        &self,
        reply: &Reply,
        position: u64,
        at: Instant,
        vantage: &Vantage,
        sink: &dyn SightingSink,
    ) {
        let Ok(payload) = jute::buffer(&mut reply.body.clone()) else { return };
        // What is no envelope is nobody's.
        let Ok(envelope) = Envelope::read(&payload) else { return };
        if envelope.run != self.site.run {
            return;
        }
        sink.saw(Sighting {
            identity: envelope.identity,
            at: vantage.clock.stamp(at),
            position: Some(position),
            intact: true,
        });
    }
}

/// How far a watch has come.
struct Sight<'a> {
    reader: &'a Reader,
    vantage: &'a Vantage,
    sink: &'a dyn SightingSink,
    /// The first position that has not been shown.
    next: u64,
    /// Until when everything was shown as it came; the beginning before the first look.
    dark: Instant,
}

impl Sight<'_> {
    /// One session, from the try to have it to its end.
    async fn look(&mut self, network: &dyn Network, server: &NodeId) -> Result<(), SystemError> {
        let to = network.address(server, CLIENT_PORT);
        let session = session::reach(network, &self.vantage.origin, to).await?;
        self.blind();
        loop {
            let began = Instant::now();
            // One is asked for first: nearly always it is not there yet, or it is all there is.
            let mut many = 1;
            loop {
                let reading =
                    self.reader.read(&session, self.next, many, self.vantage, self.sink).await;
                let found = reading?;
                self.next += found;
                if found > 0 {
                    self.sink.passed(&self.reader.shard, self.next - 1);
                }
                if found < many {
                    break;
                }
                many = AHEAD.min(many * 8);
            }
            self.dark = began;
            sleep(self.reader.params.poll.0).await;
        }
    }

    /// Nothing was seen from the last look to now.
    fn blind(&mut self) {
        let now = Instant::now();
        self.sink.blind(self.vantage.clock.stamp(self.dark), self.vantage.clock.stamp(now));
        self.dark = now;
    }
}
