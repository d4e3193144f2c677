//! A drill in the pretend lab: three regions with one node of a simulated log and a few assets each. What differs is its windows.

mod load;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use document::{Ids, Problems, Sources, parse};
use model::{
    CellId, Chance, Event, Jitter, KindSpec, LinkQuality, Micros, NodeId, Plan, RegionId, Shape,
    ShardId, Sighting, Topology,
    event::Claim,
    plan::{
        Closing, EventPattern, FORMAT, Opening, Phase, PhaseEnd, Safety, Shows, Source, Window,
    },
    topology::{Cell, Node},
};
use seams::{Clock, Eyes, Fault, Lab, Open, Origin, Post, Service, Site};
use tokio::{
    sync::{mpsc, watch},
    task::LocalSet,
    time::Instant,
};
use wetdress_conductor::{Stage, conduct};

pub use load::Acked;

const REGIONS: [&str; 3] = ["us-west", "us-east", "eu-west"];
const ASSETS: u32 = 12;

pub fn seconds(seconds: u64) -> Micros {
    Micros::after(Duration::from_secs(seconds))
}

/// Opens at a second and lasts so many.
pub fn at(at: u64, lasts: u64) -> (Opening, Closing) {
    (Opening::At(Duration::from_secs(at)), Closing::After(Duration::from_secs(lasts)))
}

/// Opens on an event between two seconds, and lasts so many.
pub fn when(event: EventPattern, (from, to): (u64, u64), lasts: u64) -> (Opening, Closing) {
    let (from, to) = (Duration::from_secs(from), Duration::from_secs(to));
    (
        Opening::When { event, from, to, after: Duration::ZERO },
        Closing::After(Duration::from_secs(lasts)),
    )
}

pub struct Drill {
    plan: Plan,
    faults: Vec<Box<dyn Fault>>,
}

/// What was recorded.
pub struct Told {
    pub events: Vec<(Micros, Event)>,
    pub acked: Vec<Acked>,
    pub saw: Vec<Sighting>,
    pub read_back: Vec<Sighting>,
    pub complete: bool,
}

pub struct Asked {
    pub at: Micros,
    pub picked: Vec<NodeId>,
    pub claims: BTreeSet<Claim>,
    pub regions: BTreeSet<RegionId>,
    pub shards: BTreeSet<ShardId>,
}

impl Drill {
    pub fn new() -> Self {
        let phase = |name: &str, start, end| Phase {
            name: name.into(),
            start: Duration::from_secs(start),
            end,
            measure: true,
            steady: false,
        };
        let to = |end| PhaseEnd::At(Duration::from_secs(end));
        let phases = vec![
            phase("baseline", 0, to(30)),
            phase("outage", 30, to(60)),
            phase("recovery", 60, to(90)),
            phase("verify", 90, PhaseEnd::Quiesced { latest: Duration::from_secs(105) }),
        ];
        let kind = |params| KindSpec { kind: "pretend".to_owned(), params };
        let plan = Plan {
            format: FORMAT,
            scenario: "drill".to_owned(),
            summary: None,
            seed: 20_261_123,
            source: Source { file: "drill.yaml".to_owned(), sha256: String::new() },
            lab: kind(serde_json::json!({})),
            topology: topology(),
            services: [(
                "logs".into(),
                kind(serde_json::json!({"shards": 6, "election_timeout": "1s"})),
            )]
            .into(),
            fleets: BTreeMap::new(),
            observers: BTreeMap::new(),
            theta: Duration::from_secs(1),
            phases,
            windows: vec![],
            safety: Safety::default(),
            gates: vec![],
            reports: vec![],
        };
        Self { plan, faults: vec![] }
    }

    pub fn seed(mut self, seed: u64) -> Self {
        self.plan.seed = seed;
        self
    }

    pub fn window(self, id: &str, kind: &str, yaml: &str, span: (Opening, Closing)) -> Self {
        self.any_window(id, kind, yaml, span, false)
    }

    pub fn following(self, id: &str, kind: &str, yaml: &str, span: (Opening, Closing)) -> Self {
        self.any_window(id, kind, yaml, span, true)
    }

    fn any_window(
        mut self,
        id: &str,
        name: &str,
        yaml: &str,
        (opening, closing): (Opening, Closing),
        follow: bool,
    ) -> Self {
        let kind = faults::CATALOG.find(name).expect("a fault kind");
        let (mut sources, mut problems) = (Sources::default(), Problems::new());
        let source = sources.add("window", yaml);
        let node = parse(yaml, source, &mut Ids::default(), &mut problems);
        let params = node
            .and_then(|node| (kind.read)(&node, &mut problems))
            .unwrap_or_else(|| panic!("{problems:?}"));
        self.faults.push((kind.make)(&params).expect("the stored form is read back"));
        let fault = KindSpec { kind: name.to_owned(), params };
        self.plan.windows.push(Window { id: id.into(), fault, opening, closing, follow });
        self
    }

    /// Plays it. The read-back, as in a real run, comes after the heal and before the end, and ends the last phase.
    pub fn run(self) -> Told {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        LocalSet::new().block_on(&runtime, self.play())
    }

    async fn play(self) -> Told {
        let Self { plan, faults } = self;
        let plan = Arc::new(plan);
        let topology = Arc::new(plan.topology.clone());
        let site =
            Site { service: "logs".into(), topology: topology.clone(), run: 1, seed: plan.seed };
        let params = &plan.services[&site.service].params;
        let service =
            (pretend::SYSTEM.services.kinds[0].make)(params, &site).expect("stored parameters");
        let driver = (pretend::SYSTEM.drivers.kinds[0].make)(&serde_json::json!({}), &site)
            .expect("stored parameters");
        let observer =
            (pretend::SYSTEM.observers.kinds[0].make)(&serde_json::json!({"poll": "50ms"}), &site)
                .expect("stored parameters");

        let clock = Clock::unarmed();
        let (want, wanted) = watch::channel(Default::default());
        let (to_seen, seen) = mpsc::unbounded_channel();
        let lab = pretend::Pretend::new(topology.clone(), plan.seed);
        let processes =
            site.nodes().map(|node| (node.clone(), service.processes(node, &*topology))).collect();
        let ground = lab
            .open(Open { processes, want: wanted, seen: to_seen, clock: clock.clone() })
            .await
            .expect("a lab in memory opens");
        service.ready(&*ground).await.expect("nodes are up");
        service.provision(&*ground).await.expect("shards are made");

        clock.arm(Instant::now());
        let post = Post {
            origin: Origin::cell(&"us-east/observers".into(), 0),
            region: "us-east".into(),
            cell: "us-east/observers".into(),
            shows: Shows::Log,
            clock: clock.clone(),
        };
        let eyes = Arc::new(Album::default());
        let (watching, watched, watching_post) = (observer.clone(), ground.clone(), post.clone());
        let seeing = eyes.clone();
        let watcher = tokio::task::spawn_local(async move {
            watching.watch(watched, watching_post, seeing).await
        });
        let stop = Micros::after(plan.stop());
        let load = load::Load::new(&*driver, ground.clone(), clock.clone(), &topology, ASSETS);
        let load = tokio::task::spawn_local(load.run(stop));

        let (journal, mut recorded) = mpsc::unbounded_channel();
        let windows = plan.windows.iter().cloned().zip(faults).collect();
        let services = [(site.service.clone(), service as Arc<dyn Service>)].into();
        let stage = Stage {
            plan: plan.clone(),
            windows,
            services,
            ground: ground.clone(),
            clock: clock.clone(),
            want,
            seen,
            journal,
        };
        let back = Arc::new(Album::default());
        let quiesced = async {
            clock.until(stop + Duration::from_secs(2)).await;
            observer.read_back(ground.clone(), &post, back.clone()).await.is_ok()
        };
        let mut rest = conduct(stage, quiesced).await;
        lab.close().await;
        rest.record();
        let complete = rest.complete();
        drop(rest);
        watcher.abort();
        let mut events = vec![];
        while let Some(event) = recorded.recv().await {
            events.push(event);
        }
        let (saw, read_back) = (eyes.taken(), back.taken());
        Told { events, acked: load.await.expect("the load ends"), saw, read_back, complete }
    }
}

impl Told {
    pub fn first(&self, fits: impl Fn(&Event) -> bool) -> Option<Micros> {
        self.events.iter().find(|(_, event)| fits(event)).map(|(at, _)| *at)
    }

    pub fn phases(&self) -> Vec<(Micros, String)> {
        let phase = |(at, event): &(Micros, Event)| match event {
            Event::PhaseEntered { phase } => Some((*at, phase.as_str().to_owned())),
            _ => None,
        };
        self.events.iter().filter_map(phase).collect()
    }

    pub fn asked(&self, id: &str) -> Asked {
        let asked = |(at, event): &(Micros, Event)| match event {
            Event::FaultAsked { window, picked, claims, affected, .. } if window.as_str() == id => {
                Some(Asked {
                    at: *at,
                    picked: picked.concat(),
                    claims: claims.clone(),
                    regions: affected.regions.clone(),
                    shards: affected.shards.clone(),
                })
            }
            _ => None,
        };
        self.events
            .iter()
            .find_map(asked)
            .unwrap_or_else(|| panic!("{id} was asked: {:#?}", self.events))
    }

    pub fn moves(&self, id: &str) -> Vec<(Micros, Vec<NodeId>)> {
        let moved = |(at, event): &(Micros, Event)| match event {
            Event::FaultMoved { window, picked, .. } if window.as_str() == id => {
                Some((*at, picked.concat()))
            }
            _ => None,
        };
        self.events.iter().filter_map(moved).collect()
    }

    pub fn closed(&self, id: &str) -> Option<Micros> {
        self.first(
            |event| matches!(event, Event::FaultClosed { window, .. } if window.as_str() == id),
        )
    }

    pub fn missed(&self, id: &str) -> Option<String> {
        let missed = |(_, event): &(Micros, Event)| match event {
            Event::FaultMissed { window, why } if window.as_str() == id => Some(why.clone()),
            _ => None,
        };
        self.events.iter().find_map(missed)
    }

    /// Claims of a window that were shown, each with its first moment.
    pub fn proven(&self, id: &str) -> BTreeMap<Claim, Micros> {
        let mut proven = BTreeMap::new();
        for (_, event) in &self.events {
            if let Event::Proven { window, claim, first, .. } = event
                && window.as_str() == id
            {
                let known = proven.entry(claim.clone()).or_insert(*first);
                *known = (*known).min(*first);
            }
        }
        proven
    }

    /// How many acks of readings sent in a span.
    pub fn acked_between(&self, from: Micros, to: Micros) -> usize {
        self.acked.iter().filter(|acked| (from..to).contains(&acked.sent)).count()
    }

    /// Leaders of a shard after a moment.
    pub fn leaders(&self, of: &str) -> Vec<(Micros, NodeId, u64)> {
        let leader = |(at, event): &(Micros, Event)| match event {
            Event::RoleChanged { shard, node, role, term, .. }
                if shard.as_str() == of && role.kind.leads() =>
            {
                Some((*at, node.clone(), *term))
            }
            _ => None,
        };
        self.events.iter().filter_map(leader).collect()
    }
}

/// Keeps every sighting.
#[derive(Default)]
struct Album(Mutex<Vec<Sighting>>);

impl Album {
    fn taken(&self) -> Vec<Sighting> {
        self.0.lock().expect("nobody panicked").clone()
    }
}

impl Eyes for Album {
    fn saw(&self, sighting: Sighting) {
        self.0.lock().expect("nobody panicked").push(sighting);
    }
    fn passed(&self, _: &ShardId, _: u64) {}
    fn blind(&self, _: Micros, _: Micros) {}
}

fn topology() -> Topology {
    let node = |region: &str| Node {
        region: region.into(),
        zone: None,
        services: ["logs".into()].into(),
        address: [198, 18, 0, 1].into(),
    };
    let access = LinkQuality { delay: Duration::from_millis(5), ..Default::default() };
    let cell = |region: &str, fleet: bool| Cell {
        region: region.into(),
        fleet: fleet.then(|| "terminals".into()),
        base: [198, 19, 0, 0].into(),
        prefix: 24,
        hosts: ASSETS,
        access: access.clone(),
        track: Default::default(),
    };
    let cells = REGIONS.iter().flat_map(|region| {
        [
            (CellId::from(format!("{region}/assets")), cell(region, true)),
            (CellId::from(format!("{region}/observers")), cell(region, false)),
        ]
    });
    let jitter =
        Jitter { width: Duration::from_millis(2), shape: Shape::Uniform, correlation: Chance(0) };
    let wan = LinkQuality {
        delay: Duration::from_millis(30),
        jitter: vec![jitter],
        ..Default::default()
    };
    let pairs = REGIONS.iter().flat_map(|a| {
        REGIONS
            .iter()
            .filter(move |b| a != *b)
            .map(move |b| (RegionId::from(*a), RegionId::from(*b)))
    });
    Topology {
        regions: REGIONS.iter().map(|region| ((*region).into(), Default::default())).collect(),
        nodes: REGIONS
            .iter()
            .map(|region| (format!("logs-{region}").into(), node(region)))
            .collect(),
        cells: cells.collect(),
        wan: pairs.map(|pair| (pair, wan.clone())).collect(),
        ..Default::default()
    }
}
