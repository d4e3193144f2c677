//! A place for real brokers on loopback: each node has an address of its own in 127.0.0.0/8, so that the ports are Kafka's own.

use std::{
    collections::BTreeMap,
    fs,
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use kit::answer as until;
use model::{NodeId, RegionId, ServiceId, ShardId, Topology, plan::Shows, topology};
use seams::{
    Clock, Driver, Network, Observer, Origin, Service, Site, Vantage,
    catalog::{Catalog, Kind},
    servers,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpStream, UdpSocket};
use wetdress_kafka::SYSTEM;

use crate::assets::RUN;

/// Java on a busy machine takes its time.
const BOOT: Duration = Duration::from_secs(180);

/// Runs a test as a sending thread would, if Kafka is installed; says so when not.
#[allow(clippy::print_stdout, reason = "a skipped test says so")]
pub(crate) fn rehearse(test: impl Future<Output = ()>) {
    let service = make(&SYSTEM.services, json!({}), &site(Topology::default()));
    if let Some(why) = service.requirements().iter().find_map(|needed| needed.find().err()) {
        println!("skipped: {why}");
        return;
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(tokio::task::LocalSet::new().run_until(test));
}

/// The same brokers, sent to by a driver of another kind.
#[cfg(feature = "librdkafka")]
pub(crate) fn driver(kind: &str, params: Value, cluster: &Cluster) -> Arc<dyn Driver> {
    let kind = SYSTEM.drivers.find(kind).expect("it is there");
    (kind.make)(&params, &cluster.site).expect("the parameters are right")
}

type Make<M> = fn(&Value, &Site) -> Result<M, serde_json::Error>;

/// Brings the kind of a catalog to life.
fn make<M>(catalog: &'static Catalog<Make<M>>, params: Value, site: &Site) -> M {
    let kind: &Kind<_> = catalog.find("kafka").expect("it is there");
    (kind.make)(&params, site).expect("the parameters are right")
}

fn site(topology: Topology) -> Site {
    Site {
        service: "log".into(),
        topology: Arc::new(topology),
        run: RUN,
        seed: 1,
        keyring: Default::default(),
    }
}

#[derive(Debug)]
struct Loopback(Arc<Topology>);

#[async_trait]
impl Network for Loopback {
    fn address(&self, node: &NodeId, port: u16) -> SocketAddr {
        (self.0.nodes[node].address, port).into()
    }

    #[allow(clippy::disallowed_methods, reason = "this is the test's network")]
    async fn tcp(&self, _from: &Origin, to: SocketAddr) -> io::Result<TcpStream> {
        TcpStream::connect(to).await
    }

    async fn udp(&self, _from: &Origin) -> io::Result<UdpSocket> {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn inside(&self, _from: &Origin, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        std::thread::Builder::new().spawn(work).map(drop)
    }
}

/// One node in each of the regions `r1`, `r2` ..., called `n1`, `n2` ...
pub(crate) struct Cluster {
    site: Site,
    pub(crate) service: Arc<dyn Service>,
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) network: Arc<dyn Network>,
    data: TempDir,
    running: BTreeMap<NodeId, Child>,
}

impl Cluster {
    /// `topic` is that of the service's parameters.
    pub(crate) async fn start(nodes: u8, topic: Value) -> Self {
        static TAKEN: AtomicU8 = AtomicU8::new(0);
        let pid = std::process::id();
        let net = TAKEN.fetch_add(8, Ordering::Relaxed);
        let mut topology = Topology::default();
        for number in 1..=nodes {
            let region = RegionId::from(format!("r{number}"));
            let address = Ipv4Addr::new(127, 64 + (pid >> 8) as u8 % 128, pid as u8, net + number);
            let services = [ServiceId::from("log")].into();
            let node = topology::Node { region: region.clone(), zone: None, services, address };
            topology.regions.insert(region, topology::Region::default());
            topology.nodes.insert(NodeId::from(format!("n{number}")), node);
        }
        let params = json!({"timers": "quick", "heap": "256MiB", "topic": topic});
        let layout = make(&SYSTEM.services, params.clone(), &site(topology.clone()));
        let known = topology::Service { shards: layout.shards(), ..topology::Service::default() };
        topology.services.insert("log".into(), known);
        let site = site(topology);
        let mut cluster = Self {
            service: make(&SYSTEM.services, params, &site),
            driver: make(&SYSTEM.drivers, json!({"batch": 50}), &site),
            observer: make(&SYSTEM.observers, json!({}), &site),
            network: Arc::new(Loopback(site.topology.clone())),
            data: tempfile::tempdir().expect("a folder for the nodes"),
            running: BTreeMap::new(),
            site,
        };
        for node in cluster.nodes() {
            cluster.run(&node);
        }
        cluster.ready().await;
        cluster.service.provision(&*cluster.network).await.expect("the topic can be made");
        cluster
    }

    pub(crate) fn nodes(&self) -> Vec<NodeId> {
        self.site.nodes().cloned().collect()
    }

    pub(crate) fn shard(&self) -> ShardId {
        self.site.shards()[0].clone()
    }

    /// Starts a node, or starts it again on its old data.
    pub(crate) fn run(&mut self, node: &NodeId) {
        let home = self.data.path().join(node.as_str());
        let [here, there] = [&home, &servers::folder()].map(|path| path.display().to_string());
        let filled = |text: &str| text.replace("{data}", &here).replace("{servers}", &there);
        let process = self.service.processes(node, &*self.site.topology).remove(0);
        let first = !home.exists();
        fs::create_dir_all(&home).expect("a folder for the node");
        let log = fs::File::options().create(true).append(true).open(home.join("log"));
        let log = log.expect("a log for the node");
        let command = |of: &seams::Command| {
            // The node dies with the thread that started it, also when this process is killed.
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "KILL"]).arg(&of.program);
            command.args(of.args.iter().map(|arg| filled(arg)));
            command.envs(&of.env).env("PATH", servers::search_path());
            command.stdout(log.try_clone().expect("it is open"));
            command.stderr(log.try_clone().expect("it is open")).stdin(Stdio::null());
            command
        };
        if first {
            for (path, text) in &process.files {
                fs::write(filled(path), filled(text)).expect("the folder is there");
            }
            for step in &process.steps {
                assert!(command(step).status().expect("it starts").success(), "{step:?}");
            }
        }
        let child = command(&process.command).spawn().expect("the node starts");
        self.running.insert(node.clone(), child);
    }

    pub(crate) async fn ready(&self) {
        let ready = async {
            // A Java machine tells nobody when it serves, so it is asked again; the pause leaves it the processor meanwhile.
            while self.service.ready(&*self.network).await.is_err() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(BOOT, ready).await.expect("every node serves in time");
    }

    pub(crate) async fn whole(&self) {
        until("every replica is in sync", || async {
            self.service.redundant(&*self.network).await.unwrap_or(false).then_some(())
        })
        .await;
    }

    /// kill -9.
    pub(crate) fn kill(&mut self, node: &NodeId) {
        let mut child = self.running.remove(node).expect("it is running");
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
    }

    /// The node that holds a leading role in the highest term, and that term.
    pub(crate) async fn holder(&self, role: &str) -> Option<(NodeId, u64)> {
        let mut holders = vec![];
        for node in self.running.keys() {
            let roles = self.service.believes(&*self.network, node).await.unwrap_or_default();
            let held = roles.into_iter().filter(|held| held.role.name == role);
            holders.extend(held.map(|held| (held.term, node.clone())));
        }
        holders.into_iter().max().map(|(term, node)| (node, term))
    }

    /// Beside a node.
    pub(crate) fn vantage(&self, node: &NodeId, shows: Shows, clock: &Clock) -> Vantage {
        let region = self.site.topology.nodes[node].region.clone();
        let cell = "c1".into();
        Vantage { origin: Origin::cell(&cell, 0), region, cell, shows, clock: clock.clone() }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in self.running.values_mut() {
            let _gone = child.kill();
            let _gone = child.wait();
        }
    }
}
