//! What the driver costs over real sockets, beside a sink in a process of its own: `cargo bench -p wetdress-basic --bench http`.
//!
//! | name | figure |
//! |---|---|
//! | `VERSION.CONNECTIONS.RATE.memory` | user memory of an idle connection: by how much the process has grown, per connection |
//! | `VERSION.CONNECTIONS.RATE.memory_used` | the same after each connection has sent several readings |
//! | `VERSION.CONNECTIONS.RATE.cpu` | CPU of the process per reading, open loop: lane and sockets alone, without fleets and ledger |
//! | `VERSION.CONNECTIONS.RATE.latency_p50`, `_p99` | from the moment at which a reading was due to its ack |
//! | `VERSION.CONNECTIONS.RATE.lost` | readings that were not acked |
//! | `VERSION.CONNECTIONS.RATE.server_memory` | the sink's own, per connection |
//!
//! A line of JSON each: `name`, `value`, `unit`. `--quick` for a tenth of the connections and of the time.
#![allow(clippy::print_stdout, reason = "a bench talks to the person who runs it")]

use std::{
    error::Error,
    future::poll_fn,
    io::{self, BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use clap::Parser;
use model::{
    CellId, Identity, Micros, NodeId, Outcome, ServiceId, Topology, envelope::Envelope, topology,
};
use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    time::{ClockId, clock_gettime},
};
use seams::{
    Batch, Clock, ConnId, ConnectRequest, Lane, Network, Origin, Outgoing, Progress, Site,
};
use serde_json::json;
use tokio::{
    net::{TcpSocket, TcpStream, UdpSocket},
    task::LocalSet,
    time::{Instant, sleep_until},
};
use wetdress_basic::{SYSTEM, Sink, SinkArgs};

type Failed = Box<dyn Error>;

const SERVE: &str = "serve";
const ROW: &str = "row";
/// Connections in the making at once.
const AT_ONCE: u32 = 200;

/// One measurement.
#[derive(Clone, Copy, Debug)]
struct Row {
    version: &'static str,
    connections: u32,
    /// Readings of all connections together, per second.
    rate: u32,
    seconds: u32,
}

const ROWS: [Row; 4] = [
    Row { version: "http1", connections: 15_000, rate: 2_500, seconds: 18 },
    Row { version: "http1", connections: 64, rate: 5_000, seconds: 8 },
    Row { version: "http2", connections: 8, rate: 5_000, seconds: 8 },
    Row { version: "http2", connections: 8, rate: 20_000, seconds: 4 },
];

#[derive(Parser)]
struct Told {
    #[command(flatten)]
    args: SinkArgs,
}

fn main() -> Result<(), Failed> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some(SERVE) => serve(),
        Some(ROW) => {
            let row = ROWS[words[1].parse::<usize>()?].scaled(words[2] == "quick");
            LocalSet::new().block_on(&runtime()?, row.measure(words[3].parse()?, &words[4]))
        }
        _ => {
            let size = if words.iter().any(|word| word == "--quick") { "quick" } else { "whole" };
            let (mut server, address) = server()?;
            let rows = (0..ROWS.len()).try_for_each(|row| -> Result<(), Failed> {
                // A process of its own: memory that an earlier row left to the allocator would hide what this one takes.
                let own = [ROW, &row.to_string(), size, &address, &server.id().to_string()];
                let ended = Command::new(std::env::current_exe()?).args(own).status()?;
                if ended.success() { Ok(()) } else { Err(format!("row {row}: {ended}").into()) }
            });
            server.kill()?;
            server.wait()?;
            rows
        }
    }
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn serve() -> Result<(), Failed> {
    runtime()?.block_on(async {
        let args = Told::parse_from(["sink", "--listen=127.0.0.1:0", "--keep=1000"]).args;
        let sink = Sink::bind(&args)?;
        println!("{}", sink.address());
        sink.serve().await?;
        Ok(())
    })
}

fn server() -> Result<(Child, String), Failed> {
    let mut server = Command::new(std::env::current_exe()?);
    let mut server = server.arg(SERVE).stdout(Stdio::piped()).spawn()?;
    let mut address = String::new();
    let out = server.stdout.take().ok_or("its output is ours")?;
    BufReader::new(out).read_line(&mut address)?;
    Ok((server, address.trim().to_owned()))
}

impl Row {
    fn scaled(self, quick: bool) -> Self {
        if !quick {
            return self;
        }
        let Self { connections, rate, seconds, .. } = self;
        let small = connections <= 64;
        let connections = if small { connections } else { connections / 10 };
        Self {
            connections,
            rate: rate / if small { 1 } else { 10 },
            seconds: seconds.div_ceil(4),
            ..self
        }
    }

    fn say(&self, name: &str, value: f64, unit: &str) {
        let name = format!("{}.{}.{}.{name}", self.version, self.connections, self.rate);
        println!(
            "{}",
            json!({"name": name, "value": (value * 100.0).round() / 100.0, "unit": unit})
        );
    }

    async fn measure(self, server: SocketAddr, process: &str) -> Result<(), Failed> {
        let maximum = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
        let readings = (self.rate * self.seconds) as usize;
        let mut sender = Sender::new(self.version, server, readings)?;
        sender.connect(0..1).await?;
        sender.send_all(1, 1_000).await?;
        sender.latencies.clear();
        let (before, servers) = (resident("self")?, resident(process)?);
        let mut from = 1;
        while from < self.connections {
            let until = self.connections.min(from + AT_ONCE);
            sender.connect(from..until).await?;
            from = until;
        }
        let each =
            |now: u64, before: u64| now.saturating_sub(before) as f64 / f64::from(self.connections);
        let idle = each(resident("self")?, before);
        let spent = cpu();
        sender.send_all(readings as u32, self.rate).await?;
        let spent = cpu().saturating_sub(spent);
        self.say("memory", idle, "B");
        self.say("memory_used", each(resident("self")?, before), "B");
        self.say("server_memory", each(resident(process)?, servers), "B");
        self.say("cpu", spent.as_secs_f64() * 1e6 / readings as f64, "us");
        sender.latencies.sort_unstable();
        let last = sender.latencies.len().saturating_sub(1);
        let at = |q: f64| f64::from(sender.latencies[(last as f64 * q) as usize]) / 1e3;
        self.say("latency_p50", at(0.5), "ms");
        self.say("latency_p99", at(0.99), "ms");
        self.say("lost", f64::from(sender.lost), "");
        Ok(())
    }
}

/// A lane that sends round and round, and knows when each reading was due.
struct Sender {
    lane: Box<dyn Lane>,
    clock: Clock,
    up: u32,
    lost: u32,
    /// Microseconds, in order of acks. Its room is taken beforehand.
    latencies: Vec<u32>,
    sent: u32,
    said: Vec<Progress>,
}

impl Sender {
    fn new(version: &str, server: SocketAddr, readings: usize) -> Result<Self, Failed> {
        let clock = Clock::new(Instant::now());
        let params = json!({"version": version});
        let driver = (SYSTEM.drivers.kinds[0].make)(&params, &site())?;
        let lane = driver.lane(Arc::new(Loopback(server)), clock.clone());
        let mut latencies = vec![1; readings];
        latencies.clear();
        Ok(Self { lane, clock, up: 0, lost: 0, latencies, sent: 0, said: vec![] })
    }

    async fn connect(&mut self, conns: std::ops::Range<u32>) -> Result<(), Failed> {
        let all = conns.end;
        let cell = CellId::from("r/assets");
        let wanted: Vec<ConnectRequest> = conns
            .map(|conn| ConnectRequest {
                conn: ConnId(conn),
                assets: conn..conn + 1,
                from: Origin::cell(&cell, conn),
                region: "r".into(),
                attempt: 0,
            })
            .collect();
        self.lane.connect(&wanted);
        while self.up < all {
            poll_fn(|cx| self.lane.poll(cx, &mut self.said)).await;
            self.hear(|_| 0)?;
        }
        Ok(())
    }

    /// Sends so many readings at a rate, whatever comes back, and waits for their ends.
    async fn send_all(&mut self, readings: u32, rate: u32) -> Result<(), Failed> {
        let (mut arena, mut batch, mut refused) = (vec![], vec![], vec![]);
        // What a full connection refused is offered again, as a fleet would; its latency goes on.
        let mut held: Vec<u32> = vec![];
        let first = self.clock.now().0 + 1_000;
        let began = self.sent;
        let mut ended = 0;
        while ended < readings {
            let now = self.clock.now().0;
            let due = |n: u32| first + i64::from(n) * 1_000_000 / i64::from(rate);
            let mut offered = std::mem::take(&mut held);
            while self.sent - began < readings && due(self.sent - began) <= now {
                offered.push(self.sent);
                self.sent += 1;
            }
            for ticket in &offered {
                batch.push(write(*ticket, ticket % self.up, &mut arena));
            }
            if !batch.is_empty() {
                let shared = Bytes::from(std::mem::take(&mut arena));
                self.lane.submit(Batch { readings: &batch, arena: &shared }, &mut refused);
                held.extend(refused.drain(..).map(|index| offered[index as usize]));
                batch.clear();
            }
            let next = self.clock.instant(Micros(due(self.sent - began)));
            tokio::select! {
                () = poll_fn(|cx| self.lane.poll(cx, &mut self.said)) => {}
                () = sleep_until(next), if self.sent - began < readings => {}
            }
            ended += self.hear(|ticket| due(ticket - began))?;
        }
        Ok(())
    }

    /// How many readings have ended, by what the lane said.
    fn hear(&mut self, due: impl Fn(u32) -> i64) -> Result<u32, Failed> {
        let mut ended = 0;
        for said in self.said.drain(..) {
            match said {
                Progress::Up { .. } => self.up += 1,
                Progress::Down { why, .. } => return Err(why.into()),
                Progress::Sent { .. } => {}
                Progress::Done { ticket, outcome: Outcome::Acked, at, .. } => {
                    ended += 1;
                    self.latencies.push(u32::try_from(at.0 - due(ticket)).unwrap_or(0));
                }
                Progress::Done { .. } => (ended, self.lost) = (ended + 1, self.lost + 1),
            }
        }
        Ok(ended)
    }
}

fn write(ticket: u32, conn: u32, arena: &mut Vec<u8>) -> Outgoing {
    let identity = Identity { asset: conn, stream: 0, boot: 1, seq: ticket.into() };
    let (generated, device_time) = (Micros::ZERO, Micros::ZERO);
    let start = arena.len() as u32;
    Envelope { run: 1, identity, attempt: 1, stored: false, generated, device_time }
        .write(144, arena);
    let length = arena.len() as u32 - start;
    Outgoing { ticket, conn: ConnId(conn), identity, attempt: 1, start, length }
}

/// One node.
fn site() -> Site {
    let service = ServiceId::from("ingest");
    let node = topology::Node {
        region: "r".into(),
        zone: None,
        services: [service.clone()].into(),
        address: [127, 0, 0, 1].into(),
    };
    let topology = Topology { nodes: [(NodeId::from("a"), node)].into(), ..Topology::default() };
    Site { service, topology: Arc::new(topology), run: 1, seed: 1 }
}

#[derive(Debug)]
struct Loopback(SocketAddr);

#[async_trait]
impl Network for Loopback {
    fn address(&self, _: &NodeId, _: u16) -> SocketAddr {
        self.0
    }

    async fn tcp(&self, _: &Origin, to: SocketAddr) -> io::Result<TcpStream> {
        TcpSocket::new_v4()?.connect(to).await
    }

    async fn udp(&self, _: &Origin) -> io::Result<UdpSocket> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// CPU time of this process.
fn cpu() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), spent.tv_nsec.unsigned_abs() as u32)
}

/// Memory of a process, in bytes.
fn resident(process: &str) -> Result<u64, Failed> {
    let statm = std::fs::read_to_string(format!("/proc/{process}/statm"))?;
    let pages = statm.split(' ').nth(1).ok_or("statm has a second figure")?;
    Ok(pages.parse::<u64>()? * rustix::param::page_size() as u64)
}
