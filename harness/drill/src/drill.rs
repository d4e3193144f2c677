//! One run of a plan in a lab: up, armed, conducted, drained, read back, closed. Everything it learns goes to the run folder; what it
//! means is judged later, from the folder alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fmt,
    future::Future,
    num::{NonZeroU32, NonZeroUsize},
    sync::Arc,
    time::Duration,
};

use model::{
    Event, FleetId, Lever, Micros, NodeId, Plan, ServiceId, Stamped,
    event::{Health, SenderHealth},
    schedule::{Draws, Purpose},
};
use seams::{
    Addresses, CountedNetwork, Driver, Histogram, Lab, LabKind, LoadReport, LocalErrors, Network,
    OpenLab, Process, Sent, Traffic, Wanted,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use crate::{
    Cast, DrillError, Journal,
    bring_up::{BringUp, Services},
    error::chain,
    journal::EventSink,
    observing::Observing,
    offers,
    room::room,
};

/// Between arming and the first intended moment: sending threads start, roles are asked for.
const ARM_AHEAD: Duration = Duration::from_millis(500);
/// Unless the plan says otherwise.
const CORES_OF_A_SENDER: usize = 4;
const SENDERS_MAX: usize = 8;
/// What reading back may take beyond the plan's latest end.
const READ_BACK_WITHIN: Duration = Duration::from_secs(30);

/// What a run is made of.
pub struct Drill<'a> {
    pub plan: Arc<Plan>,
    pub cast: Cast,
    /// What is known of labs of this kind.
    pub kind: &'a dyn LabKind,
    /// A lab of this kind, not open.
    pub lab: Arc<dyn Lab>,
    /// Made for this plan.
    pub folder: run::Folder,
    /// Of the same folder.
    pub journal: Journal,
    pub traffic: MakeTraffic,
}

impl fmt::Debug for Drill<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drill")
            .field("scenario", &self.plan.scenario)
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// Makes the load generator, once the lab is open.
pub type MakeTraffic =
    Box<dyn FnOnce(Load) -> Result<Box<dyn Traffic>, Box<dyn Error + Send + Sync>>>;

/// What a load generator needs to know.
#[derive(Clone, Debug)]
pub struct Load {
    pub plan: Arc<Plan>,
    /// Number of the run, part of every envelope.
    pub run: u64,
    pub network: Arc<dyn Network>,
    /// One per fleet.
    pub drivers: BTreeMap<FleetId, Arc<dyn Driver>>,
    pub folder: run::Folder,
    /// How many threads send.
    pub senders: NonZeroU32,
}

/// Number of a run, part of every envelope: readings of another run are strangers.
pub fn run_number(folder: &run::Folder, plan: &Plan) -> u64 {
    Draws::of(plan.seed).named(&folder.path().display().to_string()).bits(Purpose::Message, 0)
}

impl Drill<'_> {
    /// Runs to the end, or until somebody stops it and says why. The lab is closed and the journal written in either case; whoever owns
    /// the folder closes it, when nothing of the lab is left.
    ///
    /// # Errors
    /// Why the end was not reached; the journal says so too. What the stack did wrong is no error, but in the run folder.
    pub async fn run(self, stop: impl Future<Output = DrillError>) -> Result<(), DrillError> {
        let Self { plan, cast, kind, lab, folder, mut journal, traffic } = self;
        let record = folder.clone();
        let stage = Stage { plan, kind, lab: lab.clone(), folder, events: journal.sink() };
        let ended = tokio::select! {
            ended = stage.play(cast, traffic) => ended,
            unwritten = journal.failed() => Err(unwritten),
            stopped = stop => Err(stopped),
        };
        if let Err(error) = &ended {
            journal.sink().now(Event::Broke { why: why(error) });
        }
        // Idempotent: after a whole run it is closed already.
        lab.close().await;
        let ended = journal.close().await.and(ended);
        if let Err(error @ DrillError::Journal(_)) = &ended {
            // The disk may have room again, and what is known of the end is worth a try.
            let again = record.journal();
            let _full = again.and_then(|file| file.broke(&why(error)));
        }
        ended
    }
}

/// Why a run did not reach its end.
fn why(error: &DrillError) -> String {
    match error {
        DrillError::Interrupted => "it was interrupted".to_owned(),
        error => format!("failed to {}", chain(error)),
    }
}

/// What every step of a run needs.
struct Stage<'a> {
    plan: Arc<Plan>,
    kind: &'a dyn LabKind,
    lab: Arc<dyn Lab>,
    folder: run::Folder,
    events: EventSink,
}

impl Stage<'_> {
    async fn play(self, cast: Cast, traffic: MakeTraffic) -> Result<(), DrillError> {
        let Cast { services, drivers, observers, windows } = cast;
        let senders = senders(&self.plan, self.kind.simulated());
        self.kind.has_room(&room(&self.plan, &drivers, &windows, senders))?;
        let offers = self.lab.offers().await;
        let lacking = offers::lacking(&self.plan, &windows, &offers);
        if !lacking.is_empty() {
            return Err(DrillError::NotOffered { lab: self.plan.lab.kind.clone(), lacking });
        }
        let (want, wanted) = watch::channel(Wanted::default());
        let (to_seen, mut seen) = mpsc::unbounded_channel::<Stamped>();
        let local_errors = LocalErrors::default();
        let network = self.open(&services, offers, wanted.clone(), to_seen.clone()).await?;
        let network: Arc<dyn Network> =
            Arc::new(CountedNetwork::new(network, local_errors.clone()));
        let early = BringUp {
            plan: &self.plan,
            services: &services,
            lab: &*self.lab,
            owns_processes: self.kind.owns_processes(),
            network: &*network,
            events: &self.events,
        };
        let early = early.all(&mut seen).await?;
        self.tell_policies(&drivers);

        let Self { plan, lab, folder, events, kind: _ } = self;
        folder.write_assets(&traffic::roster(&plan))?;
        folder.write_shards(&traffic::shards(&plan, |service, asset, stream| {
            services[service].shard_of(asset, stream)
        }))?;
        let observing = Observing::begin(&plan, &observers, &network, &events, &folder)?;
        let run = run_number(&folder, &plan);
        let load =
            Load { plan: plan.clone(), run, network: network.clone(), drivers, folder, senders };
        let mut traffic = traffic(load).map_err(DrillError::Traffic)?;
        let clock = events.clock();
        clock.arm(tokio::time::Instant::now() + ARM_AHEAD);
        events.record(Micros::ZERO, Event::Armed);
        traffic.arm(clock.clone(), wanted, to_seen).await;

        let (tell_quiesced, quiesced) = tokio::sync::oneshot::channel();
        // A set, because it ends with us: an interrupted run must not go on sending behind our back.
        let mut resting = JoinSet::new();
        resting.spawn(rest(plan.clone(), traffic, observing, events.clone(), tell_quiesced));
        let stage = conductor::Setup {
            plan,
            windows,
            services,
            network,
            clock,
            want,
            early,
            seen,
            journal: events.sender(),
        };
        let left = conductor::conduct(stage, async move { quiesced.await.unwrap_or(false) }).await;
        let report = resting
            .join_next()
            .await
            .expect("one task was spawned")
            .map_err(|error| DrillError::Panicked(error.to_string()))?;
        let all_well = record_trouble(&report, &events);
        close(lab.as_ref(), left, &report, local_errors, &events).await;
        all_well
    }

    async fn open(
        &self,
        services: &Services,
        offers: BTreeSet<Lever>,
        want: watch::Receiver<Wanted>,
        seen: mpsc::UnboundedSender<Stamped>,
    ) -> Result<Arc<dyn Network>, DrillError> {
        let processes = if self.kind.owns_processes() {
            processes(&self.plan, services, &*self.lab.addresses())
        } else {
            BTreeMap::new()
        };
        let ask = OpenLab { processes, want, seen, clock: self.events.clock() };
        let network = self.lab.open(ask).await?;
        self.events.now(Event::LabOpened {
            kind: self.plan.lab.kind.clone(),
            engine: self.lab.engine(),
            simulated: self.kind.simulated(),
            offers,
            notes: self.lab.health().notes,
        });
        Ok(network)
    }

    /// Fleets that share a driver share its policy, which is told once.
    fn tell_policies(&self, drivers: &BTreeMap<FleetId, Arc<dyn Driver>>) {
        let policies: BTreeSet<_> = drivers
            .iter()
            .map(|(fleet, driver)| (self.plan.fleets[fleet].service.clone(), driver.policy()))
            .collect();
        for (service, policy) in policies {
            self.events.now(Event::ClientPolicy { service, policy });
        }
    }
}

/// Records what went wrong with the load itself.
///
/// # Errors
/// Trouble with which no run is whole. A sender that was lost is none as long as another one came to its end.
fn record_trouble(report: &LoadReport, events: &EventSink) -> Result<(), DrillError> {
    if let Some(why) = report.trouble() {
        let part = "a part of what became of the readings".to_owned();
        events.now(Event::Unwritten { part, why: why.to_owned() });
    }
    for (assets, why) in report.lost() {
        events.now(Event::SenderLost { assets: assets.to_vec(), why: why.to_owned() });
    }
    match (report.trouble(), report.ended().next()) {
        (Some(trouble), _) => Err(DrillError::Trouble(trouble.to_owned())),
        (None, None) => Err(DrillError::Trouble("every sending thread has ended".to_owned())),
        (None, Some(_)) => Ok(()),
    }
}

/// Ends the lab, and records what it says of itself and what it saw last.
async fn close(
    lab: &dyn Lab,
    mut left: conductor::Tail,
    report: &LoadReport,
    local_errors: LocalErrors,
    events: &EventSink,
) {
    let mut health = health(lab.health(), report);
    health.local_errors = local_errors.counted();
    lab.close().await;
    // Closing writes the last packets, and may have something to say of them. Its figures are those of a lab at work.
    let said = lab.health().notes;
    let new: Vec<String> = said.into_iter().filter(|note| !health.notes.contains(note)).collect();
    health.notes.extend(new);
    left.record();
    drop(left);
    events.now(Event::Health(health));
    events.now(Event::LabClosed);
}

/// After generation stopped: the last answers, then the observers up to the system's own end, then everything read back.
async fn rest(
    plan: Arc<Plan>,
    mut traffic: Box<dyn Traffic>,
    observing: Observing,
    events: EventSink,
    tell: tokio::sync::oneshot::Sender<bool>,
) -> LoadReport {
    let clock = events.clock();
    let latest = Micros::after(plan.latest_end());
    clock.until(Micros::after(plan.stop())).await;
    let report = traffic.drain(latest).await;
    let passed = observing.pass_heads(latest.max(clock.now() + READ_BACK_WITHIN / 3)).await;
    let read = observing.read_back(latest.max(clock.now()) + READ_BACK_WITHIN).await;
    observing.end().await;
    // The conductor may have stopped waiting at the latest end of the plan.
    let _not_waited_for = tell.send(report.complete() && passed && read);
    report
}

/// Every process of every node.
fn processes(
    plan: &Plan,
    services: &Services,
    at: &dyn Addresses,
) -> BTreeMap<NodeId, Vec<Process>> {
    let all = seams::processes(&plan.topology, services, at).into_iter();
    let without_service = |of_node: Vec<(ServiceId, Process)>| {
        of_node.into_iter().map(|(_, process)| process).collect()
    };
    all.map(|(node, of_node)| (node, without_service(of_node))).collect()
}

/// As many as the plan says; else one for every four cores, since the stack under test needs them too, and one where time is a model.
fn senders(plan: &Plan, simulated: bool) -> NonZeroU32 {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let ours = if simulated { 1 } else { (cores / CORES_OF_A_SENDER).clamp(1, SENDERS_MAX) };
    let ours = u32::try_from(ours).ok().and_then(NonZeroU32::new);
    plan.threads.or(ours).unwrap_or(NonZeroU32::MIN)
}

/// What lab and generator know of their own faults. Percentiles are taken here, of all senders together and of each.
fn health(lab: Health, report: &LoadReport) -> Health {
    let quantiles =
        |lag: &Histogram| (lag.value_at_quantile(0.5), lag.value_at_quantile(0.99), lag.max());
    let (schedule_lag_p50_us, schedule_lag_p99_us, schedule_lag_max_us) =
        quantiles(&report.schedule_lag());
    let (loop_lag_p50_us, loop_lag_p99_us, loop_lag_max_us) = quantiles(&report.loop_lag());
    let senders: Vec<SenderHealth> = report.ended().map(sender_health).collect();
    let mut health = Health {
        schedule_lag_p50_us,
        schedule_lag_p99_us,
        schedule_lag_max_us,
        loop_lag_p50_us,
        loop_lag_p99_us,
        loop_lag_max_us,
        generator_cpu_us: report
            .cpu()
            .filter(|_| report.generated() > 0)
            .map(|cpu| cpu.as_secs_f64() * 1e6 / report.generated() as f64),
        senders: if senders.len() > 1 { senders } else { Vec::new() },
        ..lab
    };
    for (what, us) in [
        ("generator sent", health.schedule_lag_p99_us_of_latest()),
        ("sending loop came round", health.loop_lag_p99_us_of_latest()),
    ] {
        if us > Health::LATE_US {
            let late = Duration::from_micros(us);
            health.degraded.push(format!("The {what} {late:?} late at its p99."));
        }
    }
    health
}

fn sender_health(sent: &Sent) -> SenderHealth {
    SenderHealth {
        generated: sent.generated,
        schedule_lag_p99_us: sent.schedule_lag.value_at_quantile(0.99),
        loop_lag_p99_us: sent.loop_lag.value_at_quantile(0.99),
        cpu_us: sent.cpu.and_then(|cpu| cpu.as_micros().try_into().ok()),
    }
}
