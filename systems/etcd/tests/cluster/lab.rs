//! A place for real etcd processes on loopback: each node has an address of its own in 127.0.0.0/8, so that the ports are etcd's own.

use std::{
    collections::BTreeMap,
    fs,
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use async_trait::async_trait;
pub(crate) use kit::{answer as until, within};
use model::{CellId, NodeId, RegionId, ServiceId, Topology, topology};
use seams::{Driver, Network, Observer, Origin, Service, Site};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpStream, UdpSocket};
use wetdress_etcd::SYSTEM;

/// Runs a test as a sending thread would, if etcd is installed; says so when not.
#[allow(clippy::print_stdout, reason = "a skipped test says so")]
pub(crate) fn rehearse(test: impl Future<Output = ()>) {
    if Command::new("etcd")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_err()
    {
        println!("skipped: no `etcd` on PATH");
        return;
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(tokio::task::LocalSet::new().run_until(test));
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
}

/// One member in each of the regions `r1`, `r2` ..., with nodes `n1`, `n2` ... and cells `c1`, `c2` ...
pub(crate) struct Cluster {
    pub(crate) site: Site,
    pub(crate) service: Arc<dyn Service>,
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) network: Arc<dyn Network>,
    data: TempDir,
    running: BTreeMap<NodeId, Child>,
}

impl Cluster {
    pub(crate) async fn start(members: u8) -> Self {
        static TAKEN: AtomicU8 = AtomicU8::new(0);
        let pid = std::process::id();
        let net = TAKEN.fetch_add(8, Ordering::Relaxed);
        let address =
            |member: u8| Ipv4Addr::new(127, 64 + (pid >> 8) as u8 % 128, pid as u8, net + member);

        let mut topology = Topology::default();
        for member in 1..=members {
            let region = RegionId::from(format!("r{member}"));
            let node = topology::Node {
                region: region.clone(),
                zone: None,
                services: [ServiceId::from("store")].into(),
                address: address(member),
            };
            topology.regions.insert(region, topology::Region::default());
            topology.nodes.insert(NodeId::from(format!("n{member}")), node);
        }
        let topology = Arc::new(topology);
        let site = Site {
            service: ServiceId::from("store"),
            topology: topology.clone(),
            run: 77,
            seed: 1,
            keyring: Default::default(),
        };
        let none = |_| Value::from(serde_json::Map::new());
        let quick = json!({"heartbeat_interval": "50ms", "election_timeout": "500ms"});
        let mut cluster = Self {
            service: (SYSTEM.services.kinds[0].make)(&quick, &site)
                .expect("the parameters are right"),
            driver: (SYSTEM.drivers.kinds[0].make)(&none(()), &site)
                .expect("all parameters have a default"),
            observer: (SYSTEM.observers.kinds[0].make)(&none(()), &site)
                .expect("all parameters have a default"),
            network: Arc::new(Loopback(topology)),
            data: tempfile::tempdir().expect("a folder for the members"),
            running: BTreeMap::new(),
            site,
        };
        for node in cluster.nodes() {
            cluster.run(&node);
        }
        cluster.ready().await;
        cluster
    }

    pub(crate) fn nodes(&self) -> Vec<NodeId> {
        self.site.nodes().cloned().collect()
    }

    /// Starts a member, or starts it again on its old data.
    pub(crate) fn run(&mut self, node: &NodeId) {
        let home = self.data.path().join(node.as_str());
        fs::create_dir_all(&home).expect("a folder for the member");
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(home.join("log"))
            .expect("a log for the member");
        let process = self.service.processes(node, &*self.site.topology).remove(0);
        let here = home.to_str().expect("a plain path");
        let args = process.command.args.iter().map(|arg| arg.replace("{data}", here));
        // The member dies with the thread that started it, also when this process is killed.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(&process.command.program)
            .args(args)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the member starts");
        self.running.insert(node.clone(), child);
    }

    pub(crate) async fn ready(&self) {
        until("every member serves", || async { self.service.ready(&*self.network).await.ok() })
            .await;
    }

    /// kill -9.
    pub(crate) fn kill(&mut self, node: &NodeId) {
        let mut child = self.running.remove(node).expect("it is running");
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
    }

    /// Stops every thread of a member.
    pub(crate) async fn stop(&self, node: &NodeId) {
        self.signal(node, "STOP");
        let tasks = Path::new("/proc").join(self.running[node].id().to_string()).join("task");
        until("every thread stands still", || async { all_stopped(&tasks).then_some(()) }).await;
    }

    pub(crate) fn go_on(&self, node: &NodeId) {
        self.signal(node, "CONT");
    }

    fn signal(&self, node: &NodeId, signal: &str) {
        let pid = self.running[node].id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status().expect("kill is there");
        assert!(sent.success());
    }

    /// The member that names itself leader in the highest term, and that term.
    pub(crate) async fn leader(&self) -> Option<(NodeId, u64)> {
        let mut leaders = vec![];
        for node in self.running.keys() {
            let roles = self.service.believes(&*self.network, node).await.unwrap_or_default();
            leaders.extend(
                roles
                    .into_iter()
                    .filter(|role| role.role.kind.leads())
                    .map(|role| (role.term, node.clone())),
            );
        }
        leaders.into_iter().max().map(|(term, node)| (node, term))
    }

    pub(crate) fn region(&self, node: &NodeId) -> RegionId {
        self.site.topology.nodes[node].region.clone()
    }

    /// An address in the cell beside a node.
    pub(crate) fn cell(&self, node: &NodeId) -> CellId {
        CellId::from(node.as_str().replace('n', "c"))
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

fn all_stopped(tasks: &Path) -> bool {
    let stats = fs::read_dir(tasks)
        .expect("the process is there")
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("stat")).ok());
    let mut states =
        stats.map(|stat| stat.rsplit(") ").next().and_then(|rest| rest.chars().next()));
    states.all(|state| state == Some('T'))
}
