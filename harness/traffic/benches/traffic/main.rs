//! Figures of the load generator against lanes in memory, in real time: `cargo xtask bench traffic`.
//!
//! | name | lane | figure |
//! |---|---|---|
//! | `sink` | acks at once | CPU per reading (of the process, and of the sending thread), memory per asset, how late the generator and its loop were |
//! | `sessions` | a `SessionLane` whose sessions ack when they are polled again | as `sink` |
//! | `outage` | takes nothing for three seconds, then loses every connection at once | longest stall of the sending loop |
//!
//! `outage` has a goal: 100 ms for 40 000 assets.
#![allow(clippy::print_stdout, reason = "a bench talks to the person who runs it")]

use std::{
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use model::{Micros, Plan};
use rustix::time::{ClockId, clock_gettime};
use seams::{Clock, Driver, LoadReport, Traffic, Wanted};
use tokio::sync::{mpsc, watch};
use traffic::{Fleets, Setup, Thread};

use crate::lanes::{NoGround, Outage, Sessions, Sink};

mod allocations;
mod lanes;
#[path = "../../src/tests/sample.rs"]
mod sample;
/// What the sample plan takes from its neighbours.
mod world {
    pub(super) fn ms(ms: u64) -> std::time::Duration {
        std::time::Duration::from_millis(ms)
    }
}

const STALL_MAX: Duration = Duration::from_millis(100);
const GOAL_ASSETS: u32 = 40_000;

/// The lane of a row that has a process of its own, whose first word is its name.
#[derive(Clone, Copy)]
enum InMemory {
    Sink,
    Sessions,
}

impl InMemory {
    const ALL: [Self; 2] = [Self::Sink, Self::Sessions];

    fn name(self) -> &'static str {
        match self {
            Self::Sink => "sink",
            Self::Sessions => "sessions",
        }
    }

    fn driver(self) -> Arc<dyn Driver> {
        match self {
            Self::Sink => Arc::new(Sink),
            Self::Sessions => Arc::new(Sessions),
        }
    }
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |word: &String| word.parse().context("it is our own process that asks");
    if let [row, assets, every_ms] = &words[..]
        && let Some(lane) = InMemory::ALL.into_iter().find(|lane| lane.name() == row)
    {
        return row_of(lane, number(assets)?, number(every_ms)?);
    }
    let quick = words.iter().any(|word| word == "--quick");
    in_memory(quick)?;
    outage(quick)
}

fn in_memory(quick: bool) -> Result<()> {
    println!(
        "           assets  readings/s  us CPU each  of the sender  allocations each (bytes)  B an asset  generator late p50, p99, max ms  loop late p50, p99, max ms"
    );
    let all = [(10_000, 1_000), (100_000, 1_000), (1_000_000, 10_000)];
    for lane in InMemory::ALL {
        for (assets, every_ms) in all.into_iter().take(if quick { 1 } else { 3 }) {
            // A process of its own: memory that an earlier row left to the allocator would hide what this one takes.
            let row = Command::new(std::env::current_exe()?)
                .args([lane.name(), &assets.to_string(), &every_ms.to_string()])
                .status()?;
            ensure!(row.success(), "{assets} assets: {row}");
        }
    }
    Ok(())
}

fn row_of(lane: InMemory, assets: u32, every_ms: u32) -> Result<()> {
    let mut plan = sample::plan(assets, world::ms(8_000));
    let every = world::ms(every_ms.into());
    sample::fleet(&mut plan).streams = vec![sample::stream("status", every)];
    let Ran { report, cpu, memory, allocations, .. } = run(plan, lane.driver())?;
    let generated = report.generated as f64;
    let each = |cpu: Duration| cpu.as_secs_f64() * 1e6 / generated;
    let (all, sender) = (each(cpu), each(report.cpu.context("its thread is its own")?));
    let of_half = |count: u64| count as f64 / (generated / 2.0);
    let allocated = format!("{:.2} ({:.0})", of_half(allocations.0), of_half(allocations.1));
    println!(
        "{:<8} {assets:>8}  {:>10}  {all:>11.2}  {sender:>13.2}  {allocated:>24}  {:>10}  {:>31}  {:>26}",
        lane.name(),
        report.generated / 8,
        memory / u64::from(assets),
        late(&report.schedule_lag),
        late(&report.loop_lag),
    );
    Ok(())
}

fn outage(quick: bool) -> Result<()> {
    println!("outage   assets  longest stall of the loop ms  beyond the planned end ms");
    let all = [5_000, 10_000, 20_000, GOAL_ASSETS];
    for assets in all.into_iter().skip(if quick { 3 } else { 0 }) {
        let mut plan = sample::plan(assets, world::ms(6_000));
        plan.phases.truncate(1);
        let connection = &mut sample::fleet(&mut plan).connection;
        connection.max_inflight = 16;
        // Everybody stands after a second, and waits for three.
        (connection.backoff.base, connection.backoff.max) = (world::ms(1_000), world::ms(60_000));
        let lost_at = Micros::after(world::ms(4_000));
        let Ran { report, beyond, .. } = run(plan, Arc::new(Outage { lost_at }))?;
        let stall = Duration::from_micros(report.loop_lag.max());
        println!(
            "     {assets:>10}  {:>28.1}  {:>25.1}",
            stall.as_secs_f64() * 1e3,
            beyond.as_secs_f64() * 1e3
        );
        ensure!(
            assets != GOAL_ASSETS || stall < STALL_MAX,
            "the loop stood for {stall:?}, and may for {STALL_MAX:?}"
        );
    }
    Ok(())
}

struct Ran {
    report: LoadReport,
    cpu: Duration,
    /// By how much the process had grown in the middle of the run, in bytes: everything counts that the traffic made it hold.
    memory: u64,
    /// In the second half of the run: how often memory was asked for, and for how many bytes.
    allocations: (u64, u64),
    /// How long after its planned end the run was over.
    beyond: Duration,
}

/// Plays a plan on a thread of its own to its stop, and drains for a second at most.
fn run(plan: Plan, driver: Arc<dyn Driver>) -> Result<Ran> {
    let runs = tempfile::tempdir()?;
    let folder = run::Folder::create(runs.path(), "run", &plan, "")?;
    let drivers = plan.fleets.keys().map(|fleet| (fleet.clone(), driver.clone())).collect();
    let stop = plan.stop();
    let plan = Arc::new(plan);
    let setup = Setup { plan, run: 7, network: Arc::new(NoGround), drivers, folder };
    let before = resident()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async {
        let mut fleets = Fleets::new(setup, Thread::Own).context("failed to open the files")?;
        let clock = Clock::new(tokio::time::Instant::now() + world::ms(500));
        let (_want, wanted) = watch::channel(Wanted::default());
        let (seen, _heard) = mpsc::unbounded_channel();
        let spent = cpu();
        fleets.arm(clock.clone(), wanted, seen).await;
        clock.until(Micros::after(stop / 2)).await;
        let memory = resident()?.saturating_sub(before);
        let made = allocations::so_far();
        clock.until(Micros::after(stop)).await;
        let now = allocations::so_far();
        let allocations = (now.0 - made.0, now.1 - made.1);
        let latest = stop + world::ms(1_000);
        let drains = Instant::now();
        let report = fleets.drain(Micros::after(latest)).await;
        ensure!(report.trouble.is_none(), "the generator had trouble: {:?}", report.trouble);
        let beyond = drains.elapsed().saturating_sub(world::ms(1_000));
        Ok(Ran { report, cpu: cpu().saturating_sub(spent), memory, allocations, beyond })
    })
}

/// CPU time of this process.
fn cpu() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), spent.tv_nsec.unsigned_abs() as u32)
}

fn late(histogram: &seams::Histogram) -> String {
    let ms = |us: u64| us as f64 / 1e3;
    let [p50, p99] = [0.5, 0.99].map(|q| ms(histogram.value_at_quantile(q)));
    format!("{p50:.1}, {p99:.1}, {:.1}", ms(histogram.max()))
}

/// Memory of this process, in bytes.
fn resident() -> Result<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").context("failed to read /proc")?;
    let pages = statm.split(' ').nth(1).context("statm has a second figure")?;
    Ok(pages.parse::<u64>()? * rustix::param::page_size() as u64)
}
