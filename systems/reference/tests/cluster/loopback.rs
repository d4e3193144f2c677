//! A network without a lab: nodes are where the cluster put them, everybody dials from loopback.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use ::seams::{Clock, Network, Origin, SightingSink, Site, Vantage};
use async_trait::async_trait;
use model::{
    CellId, Identity, Micros, NodeId, ServiceId, ShardId, Sighting, Topology, topology::Node,
};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

use crate::cluster::{Cluster, NAMES, REGIONS};

#[derive(Debug)]
pub(crate) struct Loopback(BTreeMap<NodeId, Ipv4Addr>);

impl Loopback {
    pub(crate) fn of(cluster: &Cluster) -> Arc<dyn Network> {
        Arc::new(Self(NAMES.iter().map(|name| (NodeId::from(*name), cluster.ip(name))).collect()))
    }
}

#[async_trait]
impl Network for Loopback {
    fn address(&self, node: &NodeId, port: u16) -> SocketAddr {
        SocketAddr::new(self.0[node].into(), port)
    }

    async fn tcp(&self, _: &Origin, to: SocketAddr) -> io::Result<TcpStream> {
        TcpSocket::new_v4()?.connect(to).await
    }

    async fn udp(&self, _: &Origin) -> io::Result<UdpSocket> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

pub(crate) fn site(cluster: &Cluster) -> Site {
    let service = ServiceId::from("store");
    let place = |(name, region): (&str, &str)| {
        let node = Node {
            region: region.into(),
            zone: None,
            services: [service.clone()].into(),
            address: cluster.ip(name),
        };
        (NodeId::from(name), node)
    };
    let topology = Topology {
        nodes: NAMES.into_iter().zip(REGIONS).map(place).collect(),
        ..Topology::default()
    };
    Site {
        service: service.clone(),
        topology: Arc::new(topology),
        run: 1,
        seed: 3,
        keyring: Default::default(),
    }
}

pub(crate) fn vantage(region: &str, shows: model::plan::Shows, clock: &Clock) -> Vantage {
    let cell = CellId::from(format!("{region}/observers"));
    Vantage {
        origin: Origin::cell(&cell, 0),
        region: region.into(),
        cell,
        shows,
        clock: clock.clone(),
    }
}

/// A sink that remembers.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) seen: Mutex<Vec<Sighting>>,
    pub(crate) passed: Mutex<BTreeMap<ShardId, u64>>,
    pub(crate) blind: Mutex<Vec<(Micros, Micros)>>,
}

impl SightingSink for Memory {
    fn saw(&self, sighting: Sighting) {
        self.seen.lock().expect("no holder panics").push(sighting);
    }

    fn passed(&self, shard: &ShardId, position: u64) {
        self.passed.lock().expect("no holder panics").insert(shard.clone(), position);
    }

    fn blind(&self, from: Micros, to: Micros) {
        self.blind.lock().expect("no holder panics").push((from, to));
    }
}

impl Memory {
    /// How often each reading was seen.
    pub(crate) fn census(&self) -> BTreeMap<Identity, usize> {
        let mut census = BTreeMap::new();
        for sighting in self.seen.lock().expect("no holder panics").iter() {
            assert!(sighting.intact);
            *census.entry(sighting.identity).or_default() += 1;
        }
        census
    }
}
