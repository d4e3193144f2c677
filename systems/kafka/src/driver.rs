//! The driver: one connection per asset, to the leader of its partition; the work is done in `dial`.

use std::{sync::Arc, time::Duration};

use document::{
    units::Time,
    within::{HOUR, MS, Within},
};
use schemars::JsonSchema;
use seams::{Clock, Driver, Lane, Lines, Network, SessionLane, Site, secure::Credentials};
use serde::{Deserialize, Serialize};

use crate::{
    acks::Acks,
    dial::KafkaDial,
    login::{Door, Sasl},
    sender::{Terms, UNDER_WAY},
    topic::Topic,
};

/// Produces readings to the topic of a Kafka service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KafkaDriver {
    /// Who must have a record before it is acked: `all` replicas in sync, or the leader alone (`1`).
    acks: Acks,
    /// Readings of one request, at the most. While five requests are under way on a connection, what waits goes together in the next
    /// one; with 1 each reading is a request, and a connection takes no more of them than it has round trips.
    batch: Within<u16, 1, 1000>,
    /// A try to connect ends after this long, half of which it waits for the word of brokers that do not answer.
    connect_timeout: Within<Time, MS, HOUR>,
    /// How long a leader waits for the other replicas before it answers that a record was not replicated in time.
    broker_timeout: Within<Time, MS, HOUR, MS>,
    /// Who produces, and whom it believes.
    credentials: Credentials,
    sasl: Sasl,
}

impl Default for KafkaDriver {
    fn default() -> Self {
        Self {
            acks: Acks::All,
            batch: Within::given(100),
            connect_timeout: Within::given(Time(Duration::from_secs(1))),
            broker_timeout: Within::given(Time(Duration::from_millis(1_500))),
            credentials: Credentials::default(),
            sasl: Sasl::default(),
        }
    }
}

impl KafkaDriver {
    pub(crate) fn to(self, site: &Site) -> Arc<dyn Driver> {
        Arc::new(Sender { params: self, site: site.clone() })
    }
}

#[derive(Debug)]
struct Sender {
    params: KafkaDriver,
    site: Site,
}

impl Driver for Sender {
    fn policy(&self) -> String {
        let KafkaDriver { acks, batch, connect_timeout, broker_timeout, .. } = &self.params;
        let promise = match acks {
            Acks::All => "every replica in sync has the record",
            Acks::Leader => "the leader alone has the record, and may lose it",
        };
        format!(
            "One connection per asset, to the leader of its partition, which is the asset's number modulo the partitions; the region that \
             an asset wants does not matter. A connect asks every broker at once who leads, waits at most {:?} for those that do not \
             answer, believes the highest leader epoch, and stands when that broker itself says that it leads; assets of a cell share an \
             answer for 100ms. No retry, no idempotence, no reconnect by itself: a broker that does not lead any more takes \
             its assets down, and the fleet asks again. A try to connect ends after {:?}. \
             Each attempt is one record of one Produce with `acks: {acks}` ({promise}) and a timeout of {:?} at the broker; a Produce holds \
             {batch} records at the most, and {UNDER_WAY} are under way on a connection at the most. \
             Acked is an answer without error, the record's offset the position; refused is only what cannot have been appended; anything \
             else is unknown.",
            connect_timeout.0 / 2,
            connect_timeout.0,
            broker_timeout.0,
        )
    }

    /// A gateway has one to each leader at the most; and every cell asks all brokers.
    fn connections(&self, asked: u32) -> u64 {
        let nodes = self.site.nodes().count() as u64;
        let cells = self.site.topology.regions.len() as u64;
        (u64::from(asked) + cells) * nodes.max(1)
    }

    fn lane(&self, network: Arc<dyn Network>, clock: Clock) -> Box<dyn Lane> {
        let KafkaDriver { acks, batch, connect_timeout, broker_timeout, credentials, sasl } =
            self.params.clone();
        let topic = Topic::of(&self.site);
        let dial = KafkaDial {
            site: self.site.clone(),
            terms: Terms {
                topic: topic.name.clone(),
                acks,
                broker_timeout_ms: i32::try_from(broker_timeout.0.as_millis()).unwrap_or(i32::MAX),
                batch: usize::from(*batch),
            },
            topic,
            patience: connect_timeout.0 / 2,
            clock: clock.clone(),
            network: network.clone(),
            asked: Default::default(),
            door: Door::of(&self.site, &credentials, sasl),
            carried: Default::default(),
        };
        Box::new(SessionLane::new(Lines::new(dial, connect_timeout.0, network), clock))
    }
}
