//! Small kinds to load scenarios with: plan knows no room that has real ones.

mod registry;

use std::{collections::BTreeMap, sync::Arc, task, time::Duration};

use async_trait::async_trait;
use model::{
    Conditions, KindSpec, NodeId, NodeState, ShardId, Topology,
    plan::{NodeTarget, Target},
};

use document::units::{Share, Time};
use schemars::JsonSchema;
use seams::{
    Addresses, Clock, Driver, Fault, Kind, Lane, Layout, Moment, Network, Objection, Observer,
    Process, Role, RoleName, Service, SystemError, Timer, Vantage,
    catalog::{Catalog, MakeFault, System, fault, stored},
    gate::{By, Quantile, Recovers, Rests},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wetdress_plan::{Catalogs, Family};

use self::registry::Registry;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RegionLoss {
    /// Which region.
    region: String,
    #[serde(default)]
    how: How,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum How {
    #[default]
    Power,
    Network,
}

impl Fault for RegionLoss {
    fn targets(&self) -> Vec<Target> {
        vec![NodeTarget { region: Some(self.region.as_str().into()), ..Default::default() }.into()]
    }
    fn deed(&self) -> &'static str {
        "hitting"
    }
    fn at(&self, now: &Moment<'_>) -> Conditions {
        let nodes =
            now.nodes(0).into_iter().map(|node| (node, NodeState::PowerLost.into())).collect();
        Conditions { nodes, ..Conditions::default() }
    }
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Kill {
    #[serde(default)]
    node: Option<String>,
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    of: Option<String>,
    #[serde(default)]
    zone: Option<String>,
}

impl Fault for Kill {
    fn targets(&self) -> Vec<Target> {
        let of = self.of.as_deref().map(|of| of.split_once('/').unwrap_or((of, "")));
        vec![Target::Nodes(NodeTarget {
            node: self.node.as_deref().map(Into::into),
            zone: self.zone.as_deref().map(Into::into),
            role: self.role.clone(),
            service: of.map(|(service, _)| service.into()),
            shard: of.filter(|(_, shard)| !shard.is_empty()).map(|(_, shard)| shard.into()),
            ..NodeTarget::default()
        })]
    }
    fn deed(&self) -> &'static str {
        "hitting"
    }
    fn at(&self, now: &Moment<'_>) -> Conditions {
        let nodes =
            now.nodes(0).into_iter().map(|node| (node, NodeState::Crashed.into())).collect();
        Conditions { nodes, ..Conditions::default() }
    }
    fn check(&self, _: &Topology) -> Vec<Objection> {
        let alone = self.role.is_some() && self.of.is_none();
        let objection =
            || Objection::new("role", "the role stands alone").help("Say `of` which service");
        alone.then(objection).into_iter().collect()
    }
}

static FAULTS: Catalog<MakeFault> = Catalog {
    noun: "fault",
    kinds: &[
        fault::<Kill>("kill", "Processes end at once.", "{node: store-us-west-1}"),
        fault::<RegionLoss>(
            "region-loss",
            "All nodes of a region at one instant.",
            "{region: us-west, how: power}",
        ),
    ],
};

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Store {
    /// Time without a heartbeat before an election.
    #[serde(default = "election")]
    election_timeout: Time,
}

fn election() -> Time {
    Time(Duration::from_secs(1))
}

impl Layout for Store {
    fn processes(&self, _: &NodeId, _: &dyn Addresses) -> Vec<Process> {
        vec![]
    }
    fn endpoints(&self) -> &'static [(&'static str, u16)] {
        &[("client", 7000)]
    }
    fn roles(&self) -> &'static [RoleName] {
        const { &[RoleName::leads("leader"), RoleName::copies("follower")] }
    }
    fn shards(&self) -> Vec<ShardId> {
        vec!["s0".into(), "s1".into()]
    }
    fn shard_of(&self, asset: u32, _: u16) -> ShardId {
        format!("s{}", asset % 2).into()
    }
    fn timers(&self) -> Vec<Timer> {
        vec![Timer {
            name: "election_timeout".into(),
            value: self.election_timeout.0,
            bounds_failover: true,
        }]
    }
}

#[async_trait]
impl Service for Store {
    async fn ready(&self, _: &dyn Network) -> Result<(), SystemError> {
        Ok(())
    }
    async fn provision(&self, _: &dyn Network) -> Result<(), SystemError> {
        Ok(())
    }
    async fn version(&self, _: &dyn Network) -> Result<String, SystemError> {
        Ok("1".into())
    }
    async fn believes(&self, _: &dyn Network, _: &NodeId) -> Result<Vec<Role>, SystemError> {
        Ok(vec![])
    }
    async fn redundant(&self, _: &dyn Network) -> Result<bool, SystemError> {
        Ok(true)
    }
}

/// Drivers and observers are only named and read here, never run.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Client {
    #[serde(default)]
    acks: Option<Acks>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Acks {
    All,
    One,
}

impl Driver for Client {
    fn policy(&self) -> String {
        "none".into()
    }
    fn lane(&self, _: Arc<dyn Network>, _: Clock) -> Box<dyn Lane> {
        Box::new(Nothing)
    }
}

struct Nothing;

impl Lane for Nothing {
    fn connect(&mut self, _: &[seams::ConnectRequest]) {}
    fn disconnect(&mut self, _: seams::ConnId, _: seams::Disconnect) {}
    fn submit(&mut self, _: seams::Batch<'_>, _: &mut Vec<u32>) {}
    fn poll(&mut self, _: &mut task::Context<'_>, _: &mut Vec<seams::Progress>) -> task::Poll<()> {
        task::Poll::Pending
    }
    fn abandon(&mut self, _: u32) {}
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Tail {
    #[serde(default)]
    poll: Option<Time>,
}

#[async_trait]
impl Observer for Tail {
    async fn watch(
        &self,
        _: Arc<dyn Network>,
        _: Vantage,
        _: Arc<dyn seams::SightingSink>,
    ) -> SystemError {
        std::future::pending().await
    }
    async fn head(
        &self,
        _: Arc<dyn Network>,
        _: &Vantage,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        Ok(BTreeMap::new())
    }
    async fn read_back(
        &self,
        _: Arc<dyn Network>,
        _: &Vantage,
        _: Arc<dyn seams::SightingSink>,
    ) -> Result<BTreeMap<ShardId, u64>, SystemError> {
        Ok(BTreeMap::new())
    }
}

static STORE: System = System {
    name: "reference",
    lab: None,
    services: Catalog {
        noun: "service",
        kinds: &[
            Kind::new::<Store>(
                "reference",
                "A small replicated store.",
                "{election_timeout: 1s}",
                |params, _| Ok(Arc::new(stored::<Store>(params)?)),
            ),
            Kind::new::<Registry>("registry", "Knows who leads.", "{}", |params, site| {
                Ok(Arc::new(stored::<Registry>(params)?.on(site.nodes().count())))
            }),
        ],
    },
    drivers: Catalog {
        noun: "driver",
        kinds: &[Kind::new::<Client>("reference", "Appends.", "{acks: all}", |params, _| {
            Ok(Arc::new(stored::<Client>(params)?))
        })],
    },
    observers: Catalog {
        noun: "observer",
        kinds: &[Kind::new::<Tail>("reference", "Tails the log.", "{poll: 200ms}", |params, _| {
            Ok(Arc::new(stored::<Tail>(params)?))
        })],
    },
};

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Empty {}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CountMax {
    max: u64,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TimeMax {
    max: Time,
    #[serde(default)]
    of_assets: Option<Share>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Latency {
    max: Time,
    #[serde(default)]
    during: Option<String>,
    #[serde(default)]
    observer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<By>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clock: Option<Time>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Least {
    min: f64,
    #[serde(default)]
    during: Option<String>,
}

fn goodput(params: &Value) -> serde_json::Result<Rests> {
    let during = stored::<Least>(params)?.during.into_iter().collect();
    Ok(Rests::Goodput { during, beside_faults: false })
}

/// Readings as the gate kind itself says which.
type MakeRests = fn(&Value) -> serde_json::Result<Rests>;

fn outage(params: &Value) -> serde_json::Result<Rests> {
    Ok(Rests::Outage { max: Some(stored::<TimeMax>(params)?.max.0) })
}

fn recovery(params: &Value) -> serde_json::Result<Rests> {
    Ok(Rests::Recovery { max: stored::<TimeMax>(params)?.max.0, of: Recovers::Assets })
}

fn p99(params: &Value) -> serde_json::Result<Rests> {
    let Latency { during, observer, by, clock, max: _ } = stored(params)?;
    Ok(Rests::Quantile(Quantile {
        q: 0.99,
        during: during.into_iter().collect(),
        by,
        clock: clock.map_or(Duration::from_secs(15), |clock| clock.0),
        shown_by: observer.map(|observer| observer.as_str().into()),
    }))
}

fn rests_on(spec: &KindSpec) -> Option<Rests> {
    (GATES.find(&spec.kind)?.make)(&spec.params).ok()
}

static LABS: Catalog<()> = Catalog {
    noun: "lab",
    kinds: &[
        Kind::new::<Empty>("local", "Namespaces on this machine.", "{}", ()),
        Kind::new::<Empty>("pretend", "In memory, on a paused clock.", "{}", ()),
    ],
};

static GATES: Catalog<MakeRests> = Catalog {
    noun: "gate",
    kinds: &[
        Kind::new::<CountMax>("acked_lost", "Acked and nowhere.", "{max: 0}", |_| Ok(Rests::Count)),
        Kind::new::<CountMax>("asset_seconds_lost", "Time in outage, summed.", "{max: 0}", |_| {
            Ok(Rests::Outage { max: None })
        }),
        Kind::new::<Least>("goodput", "Good readings.", "{min: 0.8}", goodput),
        Kind::new::<Latency>(
            "latency.ack.p99",
            "Time to the ack.",
            "{max: 250ms, during: baseline}",
            p99,
        ),
        Kind::new::<Latency>(
            "latency.platform.p99",
            "Time until shown.",
            "{max: 2s, observer: store-record}",
            p99,
        ),
        Kind::new::<TimeMax>(
            "outage.longest",
            "The longest outage of any asset.",
            "{max: 75s}",
            outage,
        ),
        Kind::new::<TimeMax>("rto", "Time to recovery.", "{max: 60s, of_assets: 99%}", recovery),
        Kind::new::<CountMax>("stuck_assets", "Still out at the end.", "{max: 0}", |_| {
            Ok(Rests::Return)
        }),
    ],
};

static REPORTS: Catalog<()> = Catalog {
    noun: "report",
    kinds: &[
        Kind::new::<Empty>("html", "One page.", "{}", ()),
        Kind::new::<Empty>("junit", "For pipelines.", "{}", ()),
        Kind::new::<Empty>("terminal", "A summary.", "{}", ()),
    ],
};

pub(crate) fn catalogs() -> Catalogs {
    Catalogs {
        labs: Family::from(&LABS),
        faults: &FAULTS,
        systems: vec![&STORE],
        gates: Family::from(&GATES),
        rests_on,
        default_gates: vec![("acked_lost", json!({"max": 0}))],
        reports: Family::from(&REPORTS),
    }
}
