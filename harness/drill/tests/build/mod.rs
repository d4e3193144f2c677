//! Runs a plan as the command line does, in whatever lab its kind makes, and keeps the run folder.
#![allow(dead_code, unreachable_pub, reason = "each test uses the part that it needs")]

use std::sync::Arc;

use model::{Event, Micros, Plan};
use plan::Catalogs;
use run::{Folder, Loaded};
use seams::{
    Catalog, Clock, Ended, Entered, Kind, LabError, LabSetup, MakeLab, Traffic,
    catalog::{MakeFault, System},
};
use tempfile::TempDir;
use traffic::{Fleets, Setup, Thread};
use wetdress_drill::{Cast, Drill, DrillError, Journal, Kinds, Load, run_number};

/// The kinds of a build.
#[derive(Clone, Copy)]
pub struct Build {
    pub labs: &'static Catalog<MakeLab>,
    pub systems: &'static [&'static System],
    pub faults: &'static Catalog<MakeFault>,
}

/// The lab in memory and its system.
pub const PRETEND: Build = Build {
    labs: &Catalog { noun: "lab", kinds: &[pretend::LAB] },
    systems: &[&pretend::SYSTEM],
    faults: &faults::CATALOG,
};

static NO_REPORTS: Catalog<()> = Catalog { noun: "report", kinds: &[] };

impl Build {
    fn catalogs(&self) -> Catalogs {
        Catalogs {
            labs: self.labs.into(),
            faults: self.faults,
            systems: self.systems.to_vec(),
            gates: (&findings::gates::CATALOG).into(),
            rests_on: findings::gates::rests_on,
            default_gates: findings::gates::defaults(),
            reports: (&NO_REPORTS).into(),
        }
    }

    pub fn load(&self, scenario: &str) -> Plan {
        plan::load(scenario, "drill.yaml", &self.catalogs())
            .unwrap_or_else(|mistakes| panic!("{mistakes}"))
    }

    /// What `wetdress plan` would say of it.
    pub fn described(&self, scenario: &str) -> plan::Description {
        plan::describe(&self.load(scenario), &self.catalogs())
    }

    pub fn play(&self, plan: Plan) -> Played {
        let runs = tempfile::tempdir().expect("a temporary folder");
        let folder = Folder::create(runs.path(), "run", &plan, "").expect("a folder can be made");
        let Kind { make: kind, .. } = self.labs.find(&plan.lab.kind).expect("it was loaded");
        let setup = LabSetup {
            params: plan.lab.params.clone(),
            topology: Arc::new(plan.topology.clone()),
            seed: plan.seed,
            folder: folder.path().to_owned(),
        };
        let kinds = Kinds { systems: self.systems, faults: self.faults };
        let (mut result, to) = (None, folder.clone());
        let thread = if kind.simulated() { Thread::Callers } else { Thread::Own };
        let body = async |entered: Result<Entered, LabError>| {
            let Entered { lab, interrupt } = entered.expect("the lab is made");
            let cast =
                Cast::new(&plan, kinds, run_number(&to, &plan)).expect("kinds of this build");
            let journal = Journal::open(&to, Clock::unarmed(), Arc::new(())).expect("a new folder");
            let traffic = Box::new(move |Load { plan, run, network, drivers, folder, senders }| {
                let setup = Setup { plan, run, network, drivers, folder, senders };
                let fleets = Fleets::new(setup, thread)?;
                Ok(Box::new(fleets) as Box<dyn Traffic>)
            });
            let plan = Arc::new(plan);
            let drill = Drill { plan, cast, kind: *kind, lab, folder: to, journal, traffic };
            let stop = async { (interrupt.await, DrillError::Interrupted).1 };
            result = Some(drill.run(stop).await);
            0
        };
        let ended = kind.enter(setup, Box::new(|entered| Box::pin(body(entered))));
        assert_eq!(ended.expect("everybody may enter"), Ended::Returned(0));
        folder.close().expect("a folder can be closed");
        Played { result: result.expect("it was played"), folder, _kept: runs }
    }
}

/// A run and what it left behind.
pub struct Played {
    pub result: Result<(), DrillError>,
    folder: Folder,
    // The folder lives as long as somebody looks at it.
    _kept: TempDir,
}

impl Played {
    pub fn loaded(&self) -> Loaded {
        Loaded::open(self.folder.path()).expect("a run folder is whole")
    }

    pub fn events(&self) -> Vec<(Micros, Event)> {
        self.loaded().events.into_iter().map(|record| (record.at, record.event)).collect()
    }
}
