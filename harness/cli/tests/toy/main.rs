//! A system that nobody has heard of: two services, one of which needs the other and shares its nodes with two processes each. It is
//! the folder `system` and its line in `SYSTEMS`; nothing else knows of it. Its servers are this executable too.

use std::{collections::BTreeMap, process::ExitCode, sync::Arc};

use kit::{answer, within};
use libtest_mimic::{Arguments, Failed, Trial};
use local::{Inside, Local, LocalLab, sandbox};
use model::{Conditions, KindSpec, LabEvent, NodeId, NodeState, Plan, ServiceId, Stamped};
use plan::Catalogs;
use seams::{
    Catalog, Clock, Kind, Lab, Network, OpenLab, Role, Service, Site, Wanted, catalog::System,
};
use serde_json::json;
use tokio::sync::{mpsc, watch};

mod programs;
mod system;

/// The promised line is the last one.
static SYSTEMS: &[&System] = &[
    &reference::SYSTEM, // a scenario has a fleet, and the fleet somebody to send to
    &system::SYSTEM,
];

static LABS: Catalog<()> =
    Catalog { noun: "lab", kinds: &[Kind::new::<Local>("local", "The real one.", "{}", ())] };

const SCENARIO: &str = "
scenario: toy
stack:
  regions: {us-west: {}, us-east: {}, eu-west: {}}
  services:
    keeper: {kind: toy-keeper, nodes_of: locks, locks: locks}
    locks: {kind: toy-locks}
    telemetry: {kind: reference}
traffic:
  fleets:
    terminals:
      driver: {kind: reference, service: telemetry}
      assets: 3
      streams: {status: {every: 1s}}
observers: [{name: record, service: telemetry, region: us-east}]
phases: [{name: baseline, for: 10s}, {name: outage, for: 10s}]
faults:
  - {at: outage, kill: {role: primary, of: keeper}}
";

fn main() -> ExitCode {
    if let Some(code) = programs::main(std::env::args().skip(1)) {
        return code;
    }
    let outcome = sandbox::enter(|inside| {
        let trials = vec![
            Trial::test("plan_shows_what_is_shared_and_needed", described),
            Trial::test("a_toy_stack_runs_and_fails_over", move || {
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(2)
                    .enable_all()
                    .build()?;
                runtime.block_on(fails_over(inside))
            }),
        ];
        let mut arguments = Arguments::from_args();
        arguments.test_threads = Some(1);
        u8::from(libtest_mimic::run(&arguments, trials).has_failed())
    });
    match outcome {
        Ok(sandbox::Outcome::Exited(code)) => code.into(),
        other => panic!("the sandbox: {other:?}"),
    }
}

fn catalogs() -> Catalogs {
    Catalogs {
        labs: (&LABS).into(),
        faults: &faults::CATALOG,
        systems: SYSTEMS.to_vec(),
        gates: (&findings::gates::CATALOG).into(),
        rests_on: findings::gates::rests_on,
        default_gates: vec![],
        reports: (&reports::CATALOG).into(),
    }
}

fn load(text: &str) -> Result<Plan, Failed> {
    Ok(plan::load(text, "toy.yaml", &catalogs())?)
}

fn described() -> Result<(), Failed> {
    let description = plan::describe(&load(SCENARIO)?, &catalogs());
    let [locks, keeper, _] = &*description.services else {
        return Err(format!("three services: {:?}", description.services).into());
    };
    assert_eq!((locks.name.as_str(), keeper.name.as_str()), ("locks", "keeper"), "in this order");
    assert_eq!((keeper.nodes.len(), &keeper.nodes), (3, &locks.nodes));
    assert_eq!(
        (&keeper.needs, &keeper.shares_with),
        (&["locks".into()].into(), &["locks".into()].into())
    );
    let reach = description.faults[0].reach.as_ref().ok_or("the fault can be made")?;
    assert_eq!(reach.nodes_hit, 1, "one node holds a role that leads");
    let wrong =
        load(&SCENARIO.replace("locks: locks", "locks: lokcs")).expect_err("no such service");
    assert!(wrong.message().is_some_and(|text| text.contains("did you mean `locks`?")));
    let wrong = load(&SCENARIO.replace("role: primary", "role: leader")).expect_err("no such role");
    assert!(wrong.message().is_some_and(|text| text.contains("`primary`")));
    Ok(())
}

type Services = BTreeMap<ServiceId, Arc<dyn Service>>;

/// Those of the toy: nobody sends in this test.
fn services(plan: &Plan) -> Result<Services, Failed> {
    let topology = Arc::new(plan.topology.clone());
    let make = |(name, spec): (&ServiceId, &KindSpec)| {
        let site = Site {
            service: name.clone(),
            topology: topology.clone(),
            run: 1,
            seed: 1,
            keyring: Default::default(),
        };
        let kind = SYSTEMS.iter().find_map(|system| system.services.find(&spec.kind));
        let kind = kind.ok_or("the plan was made of these kinds")?;
        Ok((name.clone(), (kind.make)(&spec.params, &site)?))
    };
    plan.services.iter().filter(|(_, spec)| spec.kind.starts_with("toy-")).map(make).collect()
}

/// An open lab with the stack in it, and what the lab saw so far.
struct Stand {
    lab: LocalLab,
    network: Arc<dyn Network>,
    want: watch::Sender<Wanted>,
    news: mpsc::UnboundedReceiver<Stamped>,
    _folder: tempfile::TempDir,
}

impl Stand {
    async fn open(plan: &Plan, services: &Services, inside: Inside) -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        let params = seams::catalog::stored::<Local>(&json!({}))?;
        let topology = Arc::new(plan.topology.clone());
        let lab = LocalLab::new(inside, params, topology, folder.path().to_owned(), plan.seed)?;
        let all = seams::processes(&plan.topology, services, &*lab.addresses()).into_iter();
        let processes = all.map(|(node, of_node)| {
            (node, of_node.into_iter().map(|(_, process)| process).collect())
        });
        let (want, wanted) = watch::channel(Wanted::default());
        let (seen, news) = mpsc::unbounded_channel();
        let clock = Clock::new(tokio::time::Instant::now());
        let open = OpenLab { processes: processes.collect(), want: wanted, seen, clock };
        let network = lab.open(open).await?;
        Ok(Self { lab, network, want, news, _folder: folder })
    }

    async fn until<T>(&mut self, what: &str, found: impl Fn(LabEvent) -> Option<T>) -> T {
        let seen = async {
            loop {
                let seen = self.news.recv().await.expect("the lab speaks while it is open");
                if let Some(found) = found(seen.what) {
                    return found;
                }
            }
        };
        within(what, seen).await
    }

    /// The node that leads in the highest term, once somebody does.
    async fn primary(&self, keeper: &dyn Service, nodes: &[NodeId], after: u64) -> (NodeId, Role) {
        answer("a primary", || async {
            let mut leads = vec![];
            for node in nodes {
                let said = keeper.believes(&*self.network, node).await.unwrap_or_default();
                leads.extend(said.into_iter().map(|role| (node.clone(), role)));
            }
            leads.retain(|(_, role)| role.role.kind.leads() && role.term > after);
            leads.into_iter().max_by_key(|(_, role)| role.term)
        })
        .await
    }
}

async fn fails_over(inside: Inside) -> Result<(), Failed> {
    let plan = load(SCENARIO)?;
    let services = services(&plan)?;
    let mut stand = Stand::open(&plan, &services, inside).await?;
    for name in plan.topology.start_order().map_err(|circle| format!("{circle:?}"))? {
        let Some(service) = services.get(&name) else { continue };
        let ready = || async { service.ready(&*stand.network).await.ok() };
        answer(&format!("{name} to be ready"), ready).await;
    }
    // Its first life ends as soon as it has written what it found; its service manager starts it again.
    let watch = "keeper.watch";
    let ended = |sight| match sight {
        LabEvent::ProcessExited { node, process, asked: false, .. } if process == watch => {
            Some(node)
        }
        _ => None,
    };
    let restless = stand.until("the end of a first life", ended).await;
    let again = LabEvent::ProcessStarted { node: restless, process: watch.to_owned() };
    stand.until("a second life", |sight| (sight == again).then_some(())).await;

    let keeper = services[&ServiceId::from("keeper")].as_ref();
    let nodes: Vec<NodeId> = plan.topology.nodes_of(&"keeper".into()).cloned().collect();
    let (first, role) = stand.primary(keeper, &nodes, 0).await;
    assert_eq!((role.role.name, &first), ("primary", &nodes[0]));
    let mut world = Conditions::default();
    world.nodes.insert(first.clone(), NodeState::Crashed.into());
    stand.want.send_replace(Wanted { revision: 1, conditions: Arc::new(world) });
    stand
        .until("the kill", |sight| (sight == LabEvent::InForce { revision: 1 }).then_some(()))
        .await;
    let (second, _) = stand.primary(keeper, &nodes, role.term).await;
    assert_eq!(second, nodes[1], "the next lock that answers");
    stand.lab.close().await;
    Ok(())
}
