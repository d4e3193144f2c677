//! One run of the generator, in a process of its own: memory that an earlier row left to the allocator would hide what this one takes.

use std::{
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use model::{
    Micros, NodeId, Plan, ServiceId, Topology,
    plan::{PhaseEnd, Stream},
    topology::Node,
};
use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    time::{ClockId, clock_gettime},
};
use seams::{Clock, Driver, Histogram, LoadReport, Network, Site, Traffic, Wanted};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use traffic::{Fleets, Setup, Thread};

use crate::{
    allocations,
    lanes::{Loopback, Outage, Sessions, Sink},
};

/// The first word of a process that runs one.
pub(crate) const WORD: &str = "run";
const JITTER: Duration = Duration::from_millis(50);
/// They carry everybody whose connection is shared.
const CONNECTIONS: u32 = 8;
/// Of a reading's payload.
pub(crate) const BODY_BYTES: u32 = 200;

/// What the readings go to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum To {
    Sink,
    Sessions,
    Outage { lost_at_ms: u64 },
    Http { server: SocketAddr, version: String, path: String },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) to: To,
    pub(crate) assets: u32,
    pub(crate) every: Duration,
    pub(crate) lasts: Duration,
    /// Time to connect before the first reading is due.
    pub(crate) ahead: Duration,
    /// At the end, for what has no answer yet.
    pub(crate) drains: Duration,
    /// Where the folder of the run is made.
    pub(crate) runs: PathBuf,
}

/// What it found of itself. Lateness is p50, p99 and the largest, in microseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) generated: u64,
    pub(crate) acked: u64,
    /// CPU time of the process, and of the sending threads alone.
    pub(crate) cpu: Duration,
    pub(crate) senders: Option<Duration>,
    /// By how much the process had grown in the middle of the run, in bytes: everything counts that the traffic made it hold.
    pub(crate) memory: u64,
    /// In the second half of the run: how often memory was asked for.
    pub(crate) allocations: u64,
    pub(crate) late: [u64; 3],
    pub(crate) loop_late: [u64; 3],
    pub(crate) ledger_bytes: u64,
    /// How long after its planned end the run was over.
    pub(crate) beyond: Duration,
    /// The run's origin as CLOCK_MONOTONIC, in nanoseconds.
    pub(crate) origin_ns: u64,
    pub(crate) folder: PathBuf,
}

impl Asked {
    pub(crate) fn new(to: To, assets: u32, every: Duration, lasts: Duration, runs: &Path) -> Self {
        let (ahead, drains) = (Duration::from_millis(500), Duration::from_secs(1));
        Self { to, assets, every, lasts, ahead, drains, runs: runs.to_owned() }
    }

    /// Runs it in a process of its own.
    pub(crate) fn run(&self) -> Result<Found> {
        let asked = serde_json::to_string(self)?;
        let ran = Command::new(std::env::current_exe()?)
            .args([WORD, &asked])
            .stderr(Stdio::inherit())
            .output()?;
        ensure!(ran.status.success(), "a run of our own: {}", ran.status);
        serde_json::from_slice(&ran.stdout).context("a run of our own said something else")
    }

    fn plan(&self) -> Plan {
        let every = self.every;
        let stream = Stream {
            // As always-on assets have it. A jitter of half an interval would put an eighth of all first readings into the first instant,
            // since nothing is intended before the run.
            jitter: JITTER.min(every / 2),
            payload: model::plan::Payload { p50: BODY_BYTES, p99: BODY_BYTES },
            ..kit::plan::stream("status", every)
        };
        let mut fleet = kit::plan::fleet(self.assets, vec![stream]);
        let connection = &mut fleet.connection;
        connection.max_inflight = 16;
        connection.shared_by = match self.to {
            To::Sink => self.assets.div_ceil(CONNECTIONS),
            To::Sessions | To::Outage { .. } | To::Http { .. } => 1,
        };
        connection.connect_timeout = Duration::from_secs(10);
        connection.request_timeout = Duration::from_secs(30);
        // Each asset connects at some moment of this time.
        connection.backoff.base = match self.to {
            // Everybody stands after a second, and waits for three.
            To::Outage { .. } => Duration::from_secs(1),
            To::Sink | To::Sessions | To::Http { .. } => self.ahead / 2,
        };
        connection.backoff.max = Duration::from_secs(60);
        let nodes = [(NodeId::from("a"), node())].into();
        let end = PhaseEnd::At(self.lasts);
        let mut phases = vec![kit::plan::phase("all", Duration::ZERO, end)];
        // Whoever lost everybody has nothing to wait for.
        if !matches!(self.to, To::Outage { .. }) {
            let latest = self.lasts + self.drains;
            let end = PhaseEnd::Quiesced { latest };
            phases.push(kit::plan::phase("verify", self.lasts, end));
        }
        Plan { topology: Topology { nodes, ..Topology::default() }, phases, ..kit::plan::of(fleet) }
    }
}

fn node() -> Node {
    Node {
        region: "west".into(),
        zone: None,
        services: ["ingest".into()].into(),
        address: [127, 0, 0, 1].into(),
    }
}

/// The child: runs what was asked for and prints what it found.
#[allow(clippy::print_stdout, reason = "its parent reads it")]
pub(crate) fn child(asked: &str) -> Result<()> {
    let asked: Asked = serde_json::from_str(asked).context("it is our own process that asks")?;
    let files = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: files, maximum: files })?;
    println!("{}", serde_json::to_string(&play(&asked)?)?);
    Ok(())
}

fn play(asked: &Asked) -> Result<Found> {
    let plan = asked.plan();
    let (driver, network) = driver(&asked.to, &plan)?;
    let folder = run::Folder::create(&asked.runs, "run", &plan, "")?;
    let drivers = plan.fleets.keys().map(|fleet| (fleet.clone(), driver.clone())).collect();
    let (senders, folder_of_run) = (NonZeroU32::MIN, folder.clone());
    let setup =
        Setup { plan: Arc::new(plan), run: 7, network, drivers, folder: folder_of_run, senders };
    let before = resident()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async {
        let mut fleets = Fleets::new(setup, Thread::Own).context("failed to open the files")?;
        let clock = Clock::new(tokio::time::Instant::now() + asked.ahead);
        let (_want, wanted) = watch::channel(Wanted::default());
        let (seen, _heard) = mpsc::unbounded_channel();
        let spent = cpu();
        fleets.arm(clock.clone(), wanted, seen).await;
        clock.until(Micros::after(asked.lasts / 2)).await;
        let memory = resident()?.saturating_sub(before);
        let made = allocations::so_far();
        clock.until(Micros::after(asked.lasts)).await;
        let allocations = allocations::so_far() - made;
        let drains = Instant::now();
        let report: LoadReport = fleets.drain(Micros::after(asked.lasts + asked.drains)).await;
        ensure!(report.trouble().is_none(), "the generator had trouble: {:?}", report.trouble());
        let ledger =
            std::fs::metadata(folder.sender(0).readings()).context("failed to find the ledger")?;
        Ok(Found {
            generated: report.generated(),
            acked: report.acked(),
            cpu: cpu().saturating_sub(spent),
            senders: report.cpu(),
            memory,
            allocations,
            late: three(&report.schedule_lag()),
            loop_late: three(&report.loop_lag()),
            ledger_bytes: ledger.len(),
            beyond: drains.elapsed().saturating_sub(asked.drains),
            origin_ns: clock.origin_ns().context("the clock has an origin")?,
            folder: folder.path().to_owned(),
        })
    })
}

fn driver(to: &To, plan: &Plan) -> Result<(Arc<dyn Driver>, Arc<dyn Network>)> {
    let nowhere = Loopback(([127, 0, 0, 1], 0).into());
    Ok(match to {
        To::Sink => (Arc::new(Sink), Arc::new(nowhere)),
        To::Sessions => (Arc::new(Sessions), Arc::new(nowhere)),
        To::Outage { lost_at_ms } => {
            let lost_at = Micros::after(Duration::from_millis(*lost_at_ms));
            (Arc::new(Outage { lost_at }), Arc::new(nowhere))
        }
        To::Http { server, version, path } => {
            let topology = Arc::new(plan.topology.clone());
            let site = Site {
                service: ServiceId::from("ingest"),
                topology,
                run: 7,
                seed: 1,
                keyring: Default::default(),
            };
            let http = basic::SYSTEM.drivers.find("http").context("basic has a driver `http`")?;
            let made = (http.make)(&json!({"version": version, "path": path}), &site);
            (made.context("failed to make the driver")?, Arc::new(Loopback(*server)))
        }
    })
}

fn three(histogram: &Histogram) -> [u64; 3] {
    let [p50, p99] = [0.5, 0.99].map(|q| histogram.value_at_quantile(q));
    [p50, p99, histogram.max()]
}

/// CPU time of this process.
pub(crate) fn cpu() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), spent.tv_nsec.unsigned_abs() as u32)
}

/// Memory of this process, in bytes.
fn resident() -> Result<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").context("failed to read /proc")?;
    let pages = statm.split(' ').nth(1).context("statm has a second figure")?;
    Ok(pages.parse::<u64>()? * rustix::param::page_size() as u64)
}
