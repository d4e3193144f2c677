//! One run of a plan in a lab: up, armed, conducted, drained, read back, closed. Everything it learns goes to the run folder; what it
//! means is judged later, from the folder alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::Arc,
    time::Duration,
};

use model::{Conditions, Event, Lever, Micros, NodeId, Plan, ServiceId, event::Health};
use seams::{Clock, Drained, Ground, Lab, Open, Process, Seen, Service, Traffic, Wanted};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use traffic::{Fleets, Setup, Thread};

use crate::{
    cast::Cast,
    diary::Diary,
    watch::{Watch, chain},
};

/// How long servers may take to serve.
const READY_WITHIN: Duration = Duration::from_secs(90);
/// Between two tries to find a service ready.
const READY_EVERY: Duration = Duration::from_millis(100);
/// Between arming and the first intended moment: sending threads start, roles are asked for.
const ARM_AHEAD: Duration = Duration::from_millis(500);
/// What reading back may take beyond the plan's latest end.
const READ_BACK_WITHIN: Duration = Duration::from_secs(30);

/// Why a run did not reach its end.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The lab or the stack did not come up.
    NotUp(String),
    Broke(String),
    Interrupted,
}

/// What a run is made of.
pub(crate) struct Drill {
    pub(crate) plan: Arc<Plan>,
    pub(crate) cast: Cast,
    pub(crate) lab: Arc<dyn Lab>,
    pub(crate) folder: run::Folder,
    /// Part of every envelope.
    pub(crate) run: u64,
    pub(crate) clock: Clock,
    pub(crate) diary: Diary,
    pub(crate) thread: Thread,
}

impl Drill {
    /// Runs to the end, or until `interrupt` comes. The lab is closed in either case.
    pub(crate) async fn run(self, interrupt: impl Future<Output = ()>) -> Result<(), Stopped> {
        let (lab, diary) = (self.lab.clone(), self.diary.clone());
        let ended = tokio::select! {
            ended = self.play() => ended,
            () = interrupt => Err(Stopped::Interrupted),
        };
        if let Err(stopped) = &ended {
            let why = match stopped {
                Stopped::NotUp(why) | Stopped::Broke(why) => why.clone(),
                Stopped::Interrupted => "it was interrupted".to_owned(),
            };
            diary.now(Event::Broke { why });
        }
        // Idempotent: after a whole run it is closed already.
        lab.close().await;
        ended
    }

    async fn play(self) -> Result<(), Stopped> {
        let Self { plan, cast, lab, folder, run, clock, diary, thread } = self;
        let schedule = Arc::new(model::schedule::Schedule::new(&plan));
        let Cast { services, drivers, observers, windows } = cast;

        let offers = lab.offers().await;
        refuse_what_is_not_offered(&plan, &windows, &offers)?;
        let (want, wanted) = watch::channel(Wanted::default());
        let (to_seen, seen) = mpsc::unbounded_channel::<Seen>();
        let open = Open {
            processes: processes(&plan, &services),
            want: wanted,
            seen: to_seen,
            clock: clock.clone(),
        };
        let ground = lab
            .open(open)
            .await
            .map_err(|error| Stopped::NotUp(format!("failed to {}", chain(&error))))?;
        let notes = lab.health().notes;
        diary.now(Event::LabOpened {
            kind: plan.lab.kind.clone(),
            engine: lab.engine(),
            offers,
            notes,
        });
        for (name, service) in &services {
            let version = bring_up(name, service.as_ref(), ground.as_ref(), &diary).await?;
            diary.now(Event::ServiceReady { service: name.clone(), version });
        }
        // Fleets that share a driver share its policy, which is told once.
        let policies: BTreeSet<_> = drivers
            .iter()
            .map(|(fleet, driver)| (plan.fleets[fleet].service.clone(), driver.policy()))
            .collect();
        for (service, policy) in policies {
            diary.now(Event::ClientPolicy { service, policy });
        }

        let broke =
            |error: &dyn std::error::Error| Stopped::Broke(format!("failed to {}", chain(error)));
        let rows = traffic::roll(&plan, |service, asset| services[service].shard_of(asset, 0));
        folder.write_assets(&rows).map_err(|error| broke(&error))?;
        let watching = Watch::begin(&plan, &observers, &ground, &diary, &folder, &schedule)
            .map_err(|error| broke(&error))?;
        let setup = Setup { plan: plan.clone(), run, ground: ground.clone(), drivers, folder };
        let mut fleets = Fleets::new(setup, thread).map_err(|error| broke(&error))?;
        clock.arm(tokio::time::Instant::now() + ARM_AHEAD);
        diary.tell(Micros::ZERO, Event::Armed);
        fleets.arm(clock.clone()).await;

        let (tell_quiesced, quiesced) = tokio::sync::oneshot::channel();
        // A set, because it ends with us: an interrupted run must not go on sending behind our back.
        let mut resting = JoinSet::new();
        resting.spawn(rest(plan.clone(), fleets, watching, diary.clone(), tell_quiesced));
        let stage = conductor::Stage {
            plan: plan.clone(),
            windows,
            services,
            ground,
            clock: clock.clone(),
            want,
            seen,
            journal: diary.sender(),
        };
        let mut left =
            conductor::conduct(stage, async move { quiesced.await.unwrap_or(false) }).await;
        let drained =
            resting.join_next().await.expect("one task was spawned").map_err(|error| {
                Stopped::Broke(format!("a task of the harness panicked: {error}"))
            })?;

        let mut health = health(lab.health(), &drained);
        lab.close().await;
        // Closing writes the last packets, and may have something to say of them. Its figures are those of a lab at work.
        let said = lab.health().notes;
        health.notes.extend(
            said.into_iter().filter(|note| !health.notes.contains(note)).collect::<Vec<_>>(),
        );
        left.record();
        drop(left);
        diary.now(Event::Health(health));
        diary.now(Event::LabClosed);
        match drained.trouble {
            Some(trouble) => {
                Err(Stopped::Broke(format!("the load generator had trouble: {trouble}")))
            }
            None => Ok(()),
        }
    }
}

/// After generation stopped: the last answers, then the observers up to the system's own end, then everything read back.
async fn rest(
    plan: Arc<Plan>,
    mut fleets: Fleets,
    watching: Watch,
    diary: Diary,
    tell: tokio::sync::oneshot::Sender<bool>,
) -> Drained {
    let clock = diary.clock();
    let latest = Micros::after(plan.latest_end());
    clock.until(Micros::after(plan.stop())).await;
    let drained = fleets.drain(latest).await;
    let passed = watching.pass_heads(latest.max(clock.now() + READ_BACK_WITHIN / 3)).await;
    let read = watching.read_back(latest.max(clock.now()) + READ_BACK_WITHIN).await;
    watching.end().await;
    // The conductor may have stopped waiting at the latest end of the plan.
    let _not_waited_for = tell.send(drained.complete && passed && read);
    drained
}

/// Every process of every node.
fn processes(
    plan: &Plan,
    services: &BTreeMap<ServiceId, Arc<dyn Service>>,
) -> BTreeMap<NodeId, Vec<Process>> {
    let of = |(name, node): (&NodeId, &model::topology::Node)| {
        Some((name.clone(), services.get(&node.service)?.processes(name)))
    };
    plan.topology.nodes.iter().filter_map(of).collect()
}

/// A fault that the lab cannot do at all would only be found out in the middle of the run.
fn refuse_what_is_not_offered(
    plan: &Plan,
    windows: &[(model::plan::Window, Box<dyn seams::Fault>)],
    offers: &BTreeSet<Lever>,
) -> Result<(), Stopped> {
    let all: Vec<NodeId> = plan.topology.nodes.keys().cloned().collect();
    for (window, fault) in windows {
        let picked = vec![all.clone(); fault.targets().len()];
        let moment =
            seams::Moment { elapsed: Duration::ZERO, topology: &plan.topology, picked: &picked };
        let world: Conditions = fault.at(&moment);
        if let Some((lever, _)) =
            world.levers().into_iter().find(|(lever, _)| !offers.contains(lever))
        {
            let lab = &plan.lab.kind;
            return Err(Stopped::NotUp(format!(
                "window `{}` needs {lever:?}, which the lab `{lab}` cannot do on this machine",
                window.id
            )));
        }
    }
    Ok(())
}

/// Waits until the service serves, makes what must exist, and asks for its version.
async fn bring_up(
    name: &ServiceId,
    service: &dyn Service,
    ground: &dyn Ground,
    diary: &Diary,
) -> Result<String, Stopped> {
    let mut last = String::new();
    let up = async {
        while let Err(error) = service.ready(ground).await {
            last = chain(&error);
            tokio::time::sleep(READY_EVERY).await;
        }
        service.provision(ground).await?;
        service.version(ground).await
    };
    diary.note(format!("waiting for {name}"));
    match tokio::time::timeout(READY_WITHIN, up).await {
        Ok(Ok(version)) => Ok(version),
        Ok(Err(error)) => Err(Stopped::NotUp(format!("{name} failed to {}", chain(&error)))),
        Err(_) => Err(Stopped::NotUp(format!(
            "{name} was not ready within {READY_WITHIN:?}; last it failed to {last}; its logs are in the run folder"
        ))),
    }
}

/// What lab and generator know of their own faults.
fn health(mut lab: Health, drained: &Drained) -> Health {
    if drained.schedule_lag_p99_us > Health::LATE_US {
        let late = Duration::from_micros(drained.schedule_lag_p99_us);
        lab.degraded.push(format!("The generator sent {late:?} late at its p99."));
    }
    Health {
        schedule_lag_p50_us: drained.schedule_lag_p50_us,
        schedule_lag_p99_us: drained.schedule_lag_p99_us,
        schedule_lag_max_us: drained.schedule_lag_max_us,
        ..lab
    }
}
