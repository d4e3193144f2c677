//! Its producers, made where their assets live, so that their sockets cross the lab's links.

use std::{fmt, io, sync::Arc, thread, time::Duration};

use model::{NodeIndex, Outcome};
use rdkafka::{
    ClientConfig,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{FutureProducer, FutureRecord, Producer},
};
use seams::{
    Answer, Attempt, Clock, ConnectRequest, Driver, Lane, Lines, Network, Opened, Origin, Protocol,
    SessionLane, Site,
};
use tokio::sync::oneshot;

use super::Settings;
use crate::{
    CLIENT_PORT, keys,
    topic::{self, Topic},
};

#[derive(Debug)]
pub(super) struct Library {
    pub(super) settings: Settings,
    pub(super) site: Site,
}

impl Driver for Library {
    fn policy(&self) -> String {
        let (_, version) = rdkafka::util::get_rdkafka_version();
        let told = self.settings.told();
        let told: Vec<String> =
            told.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!(
            "librdkafka {version}, as a service would use it: {}. {} for each fleet and region, which its assets share; the region that an \
             asset wants does not matter. It reconnects, asks who leads, waits, batches and retries by itself, and none of that is seen \
             here: what it retries is one attempt of the ledger, and may be there twice. Acked is its report of a delivery, the record's \
             offset the position; refused is only what it would not even queue; anything else is unknown, and it may still send it later.",
            told.join(", "),
            match *self.settings.producers {
                1 => "One producer".to_owned(),
                many => format!("{many} producers"),
            },
        )
    }

    /// Each producer has one to each broker, and another one to each that it began with.
    fn connections(&self, _asked: u32) -> u64 {
        let (nodes, cells) = (self.site.nodes().count(), self.site.topology.regions.len());
        u64::from(*self.settings.producers) * 2 * (nodes * cells) as u64
    }

    fn lane(&self, network: Arc<dyn Network>, clock: Clock) -> Box<dyn Lane> {
        let patience = self.settings.connect_timeout.0;
        let (settings, site) = (self.settings.clone(), self.site.clone());
        let dial = Dial { topic: Topic::of(&site), settings, site, clock: clock.clone() };
        Box::new(SessionLane::new(Lines::new(dial, patience, network), clock))
    }
}

struct Dial {
    settings: Settings,
    site: Site,
    topic: Topic,
    clock: Clock,
}

/// Clones share it.
#[derive(Clone)]
struct Shared(Arc<Held>);

struct Held(Option<FutureProducer>);

impl Drop for Held {
    /// The library waits for its threads, and whoever lets go of it may not.
    fn drop(&mut self) {
        let producer = self.0.take();
        let _gone_at_once = thread::Builder::new().spawn(move || drop(producer));
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

impl Protocol for Dial {
    type Wire = Shared;

    fn line(&self, request: &ConnectRequest) -> Result<u32, &'static str> {
        Ok(request.assets.start % u32::from(*self.settings.producers))
    }

    async fn open(
        &self,
        network: Arc<dyn Network>,
        from: Origin,
        _line: u32,
    ) -> Result<Opened<Shared>, &'static str> {
        let brokers = self.site.nodes().map(|node| network.address(node, CLIENT_PORT).to_string());
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers.collect::<Vec<_>>().join(","));
        config.set("client.id", "wetdress");
        for (name, value) in self.settings.told() {
            config.set(name, value);
        }
        let (tell, told) = oneshot::channel();
        let (topic, patience) = (self.topic.name.clone(), self.settings.connect_timeout.0);
        let work = move || {
            // Nobody waits any more where the try has taken too long.
            let _unheard = tell.send(begin(&config, &topic, patience));
        };
        let begun = network.inside(&from, Box::new(work)).await;
        begun.map_err(|_: io::Error| "the place of the asset cannot start threads")?;
        let (producer, leader) = told.await.unwrap_or(Err("the library did not start"))?;
        let (node, _) = topic::node_of(&self.site, leader).ok_or("the leader is no node")?;
        let wire = Shared(Arc::new(Held(Some(producer))));
        // It stays until nobody holds it: what happens to its connections is its own business.
        Ok(Opened { wire, node, ended: Box::pin(std::future::pending()) })
    }

    async fn send(&self, wire: &Shared, attempt: Attempt) -> Answer {
        let Some(producer) = &wire.0.0 else { return Answer::refused(self.clock.now()) };
        let partition = topic::partition_of(attempt.identity.asset, self.topic.shards.len());
        let key = keys::key(self.site.run, &attempt.identity, attempt.number);
        let record = FutureRecord::to(&self.topic.name)
            .partition(partition)
            .key(key.as_ref())
            .payload(attempt.payload.as_ref());
        let report = match producer.send_result(record) {
            Ok(report) => report.await,
            Err((error, _)) => {
                let outcome = not_queued(&error);
                return Answer { outcome, ..Answer::unknown(self.clock.now()) };
            }
        };
        let (outcome, position) = match report {
            Ok(Ok(delivered)) => (Outcome::Acked, u64::try_from(delivered.offset).ok()),
            Ok(Err(_)) | Err(_) => (Outcome::Unknown, None),
        };
        // Which broker it was the library does not say.
        Answer { outcome, at: self.clock.now(), by: None::<NodeIndex>, position }
    }
}

/// A producer that knows who leads the topic's first partition, and that leader's number.
fn begin(
    config: &ClientConfig,
    topic: &str,
    patience: Duration,
) -> Result<(FutureProducer, i32), &'static str> {
    let made: Result<FutureProducer, KafkaError> = config.create();
    let producer = made.map_err(|_| "the library refuses its settings")?;
    let known = producer.client().fetch_metadata(Some(topic), patience);
    let known = known.map_err(|_| "no broker answered the library")?;
    let partitions = known.topics().first().map_or(&[][..], |topic| topic.partitions());
    let leader = partitions.iter().map(|partition| partition.leader()).find(|leader| *leader >= 0);
    Ok((producer, leader.ok_or("the topic has no leader")?))
}

/// What was refused before it was queued is surely nowhere.
fn not_queued(error: &KafkaError) -> Outcome {
    match error {
        KafkaError::MessageProduction(
            RDKafkaErrorCode::QueueFull
            | RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::Fatal,
        ) => Outcome::Refused,
        _ => Outcome::Unknown,
    }
}
