//! The observer: a push consumer of every stream through a server of its own region, and the same again after heal.
//!
//! Positions are sequences of a stream. A consumer hands messages out in order; the sequence numbers of the consumer show a gap, and its
//! heartbeats show that it lives. Which server's copy a consumer reads is the cluster's choice, so the copies of a stream are not
//! compared.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use model::{NodeId, ShardId, Sighting, envelope::Envelope};
use schemars::JsonSchema;
use seams::{
    Network, Observer, SightingSink, Site, SystemError, Vantage,
    secure::{Access, Credentials, cause},
};
use serde::{Deserialize, Serialize};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use crate::{
    CALL_TIMEOUT, CLIENT_PORT, calls,
    parse::Message,
    wire::{self, Come, Wire},
};

/// Between two tries to connect or to consume.
const PAUSE: Duration = Duration::from_millis(200);
/// A consumer of which nothing is heard for this long is taken for dead: two of its heartbeats, and some.
const HEARTBEATS: Duration = Duration::from_millis(2500);

/// Sees what is stored in the streams, through a server in its own region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NatsObserver {
    /// Who reads, and whom it believes.
    credentials: Credentials,
}

impl NatsObserver {
    pub(crate) fn of(self, site: &Site) -> Arc<dyn Observer> {
        Arc::new(Watcher { access: site.access(&self.credentials), site: site.clone() })
    }
}

#[derive(Debug)]
struct Watcher {
    site: Site,
    access: Access,
}

#[async_trait]
impl Observer for Watcher {
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
        let mut sight = Sight {
            watcher: self,
            vantage: &vantage,
            sink: &*sink,
            next: BTreeMap::new(),
            dark: Instant::now(),
        };
        loop {
            for server in &servers {
                sight.look(&*network, server).await;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    async fn head(
        &self,
        network: Arc<dyn Network>,
        vantage: &Vantage,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        let wire = self.any_server(&*network, vantage).await?;
        heads(&wire).await
    }

    /// The leaders name the ends; everything up to there is consumed anew.
    async fn read_back(
        &self,
        network: Arc<dyn Network>,
        vantage: &Vantage,
        sink: Arc<dyn SightingSink>,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        let wire = self.any_server(&*network, vantage).await?;
        let heads = heads(&wire).await?;
        for (stream, head) in &heads {
            if *head == 0 {
                continue;
            }
            let doing = format!("read the stream {stream} back");
            let failed = |why: &str| SystemError::Answer { doing: doing.clone(), why: why.into() };
            let mut come = calls::consume(&wire, stream.as_str(), 1).await?;
            let mut expected = 1;
            loop {
                let next = timeout(CALL_TIMEOUT + HEARTBEATS, come.recv()).await;
                let (message, at) = next
                    .map_err(|_| failed("the consumer fell silent"))?
                    .ok_or_else(|| failed("the connection ended"))?;
                let Some(place) = place(&message) else { continue };
                if place.of_consumer != expected {
                    return Err(failed("the consumer left something out"));
                }
                expected += 1;
                self.show(&message, place.sequence, at, vantage, &*sink);
                if place.sequence >= *head {
                    break;
                }
            }
            sink.passed(stream, *head);
        }
        Ok(heads)
    }
}

async fn heads(wire: &Wire) -> Result<BTreeMap<ShardId, u64>, SystemError> {
    let mut heads = BTreeMap::new();
    for stream in calls::streams(wire).await? {
        let last = calls::stream_info(wire, &stream).await?.state.last_seq;
        heads.insert(ShardId::from(stream), last);
    }
    Ok(heads)
}

impl Watcher {
    /// The first server of the region that answers.
    async fn any_server(
        &self,
        network: &dyn Network,
        vantage: &Vantage,
    ) -> Result<Wire, SystemError> {
        let mut why = String::new();
        for server in self.site.names_in(&vantage.region)? {
            match open(network, vantage, &server, &self.access).await {
                Ok(wire) => return Ok(wire),
                Err(error) => why = error,
            }
        }
        Err(SystemError::Answer { doing: format!("reach a server in {}", vantage.region), why })
    }

    fn show(
        &self,
        message: &Message,
        position: u64,
        at: Instant,
        vantage: &Vantage,
        sink: &dyn SightingSink,
    ) {
        // What is no envelope is nobody's.
        let Ok(envelope) = Envelope::read(&message.payload) else { return };
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

/// Where a delivered message lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// In the stream.
    sequence: u64,
    /// Among what the consumer delivered, from 1.
    of_consumer: u64,
}

/// From the reply subject `$JS.ACK.<stream>.<consumer>.<tries>.<stream sequence>.<consumer sequence>.<time>.<left>`, which since 2.10 may have a
/// domain and an account before the stream; None for a heartbeat, which has none.
fn place(message: &Message) -> Option<Place> {
    let reply = std::str::from_utf8(message.reply.as_ref()?).ok()?;
    let words: Vec<&str> = reply.strip_prefix("$JS.ACK.")?.split('.').collect();
    let numbers = match words.len() {
        7 => &words[2..],
        9 | 10 => &words[4..],
        _ => return None,
    };
    Some(Place { sequence: numbers[1].parse().ok()?, of_consumer: numbers[2].parse().ok()? })
}

/// How far a watch has come.
struct Sight<'a> {
    watcher: &'a Watcher,
    vantage: &'a Vantage,
    sink: &'a dyn SightingSink,
    /// By stream, the first sequence that has not been shown.
    next: BTreeMap<String, u64>,
    /// Until when everything was shown as it came; the beginning before the first watch.
    dark: Instant,
}

impl Sight<'_> {
    /// One connection, from the try to make it to its end.
    async fn look(&mut self, network: &dyn Network, server: &NodeId) {
        let opening = open(network, self.vantage, server, &self.watcher.access);
        let Ok(wire) = opening.await else { return self.blind() };
        let Ok(streams) = calls::streams(&wire).await else { return self.blind() };
        let (tell, mut come) = mpsc::unbounded_channel();
        let mut heard = BTreeMap::new();
        for stream in streams {
            let from = *self.next.entry(stream.clone()).or_insert(1);
            let Ok(messages) = calls::consume(&wire, &stream, from).await else {
                return self.blind();
            };
            heard.insert(stream.clone(), Heard { count: 0, at: Instant::now() });
            tokio::spawn(forward(stream, messages, tell.clone()));
        }
        drop(tell);
        self.blind();
        self.follow(&mut come, &mut heard).await;
        // Until here every consumer was heard, if only by its heartbeats.
        self.dark = heard.values().map(|heard| heard.at).min().unwrap_or(self.dark).max(self.dark);
    }

    /// Until one of the consumers is no more, or has left something out.
    async fn follow(
        &mut self,
        come: &mut mpsc::UnboundedReceiver<(String, Option<Come>)>,
        heard: &mut BTreeMap<String, Heard>,
    ) {
        while let Some((stream, Some((message, at)))) = come.recv().await {
            let Some(heard) = heard.get_mut(&stream) else { continue };
            if let Some(place) = place(&message) {
                heard.count += 1;
                if place.of_consumer != heard.count {
                    return;
                }
                self.watcher.show(&message, place.sequence, at, self.vantage, self.sink);
                self.sink.passed(&ShardId::from(stream.clone()), place.sequence);
                self.next.insert(stream, place.sequence + 1);
            }
            heard.at = at;
        }
    }

    /// Nothing was seen from the end of the last watch to now.
    fn blind(&mut self) {
        let now = Instant::now();
        self.sink.blind(self.vantage.clock.stamp(self.dark), self.vantage.clock.stamp(now));
        self.dark = now;
    }
}

/// What has come of one consumer.
struct Heard {
    /// Messages.
    count: u64,
    /// The last one, or a heartbeat.
    at: Instant,
}

/// Hands on what one consumer delivers; None when nothing more comes of it, also when its heartbeats stay away.
async fn forward(
    stream: String,
    mut messages: mpsc::UnboundedReceiver<Come>,
    to: mpsc::UnboundedSender<(String, Option<Come>)>,
) {
    loop {
        let next = timeout(HEARTBEATS, messages.recv()).await.ok().flatten();
        let is_last = next.is_none();
        if to.send((stream.clone(), next)).is_err() || is_last {
            return;
        }
    }
}

async fn open(
    network: &dyn Network,
    vantage: &Vantage,
    server: &NodeId,
    access: &Access,
) -> Result<Wire, String> {
    let to = network.address(server, CLIENT_PORT);
    let opening = wire::open(network, &vantage.origin, to, access);
    match timeout(CALL_TIMEOUT, opening).await {
        Ok(Ok((wire, _))) => Ok(wire),
        Ok(Err(error)) => Err(cause(&error).map_or_else(|| error.to_string(), str::to_owned)),
        Err(_) => Err(format!("{server} did not answer within {CALL_TIMEOUT:?}")),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_delivered_message_says_where_it_lies() {
        let of = |reply: Option<&'static str>| {
            place(&Message {
                subject: Bytes::new(),
                subscription: 2,
                reply: reply.map(Bytes::from),
                status: None,
                payload: Bytes::new(),
            })
        };
        let at = |sequence, of_consumer| Some(Place { sequence, of_consumer });
        assert_eq!(of(Some("$JS.ACK.s0.Ppe1b2ps.1.12.3.1795868641702913486.2")), at(12, 3));
        assert_eq!(
            of(Some("$JS.ACK.hub.hash.s0.Ppe1b2ps.1.12.3.1795868641702913486.2.x")),
            at(12, 3)
        );
        assert_eq!(of(Some("$JS.FC.s0.Ppe1b2ps.1")), None);
        assert_eq!(of(None), None);
    }
}
