//! A random drill from a seed: valid, small, and as mixed as the language allows.
//!
//! The stack, the fleets, the observers and the phases are drawn here; faults and gates are drawn from their catalogs. Whatever the reader
//! of scenarios refuses is drawn again and counted, so that nothing is lost without a word.

use std::collections::BTreeMap;

use model::{End, Lever, Plan, plan::PhaseEnd};
use plan::Catalogs;
use seams::Moment;
use serde_json::{Map, Value, json};

use crate::{
    by_schema::{self, Names},
    random::Random,
    stack::{self, Size},
};

/// Draws of one part before the drill does without it.
pub(crate) const TRIES: u64 = 60;
/// So many readings make the slow oracle quick.
const READINGS_MAX: u64 = 5_000;

/// What was drawn, and how often it had to be drawn again.
#[derive(Clone, Debug)]
pub(crate) struct Drill {
    pub(crate) scenario: Value,
    pub(crate) refused: Refused,
}

/// Draws that the reader of scenarios refused, by part.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refused {
    pub(crate) drawn: u64,
    pub(crate) refused: u64,
    /// Parts that no draw was good for, such as `gate rto`.
    pub(crate) given_up: BTreeMap<String, u64>,
}

impl Refused {
    pub(crate) fn add(&mut self, other: &Self) {
        self.drawn += other.drawn;
        self.refused += other.refused;
        for (part, count) in &other.given_up {
            *self.given_up.entry(part.clone()).or_default() += count;
        }
    }
}

/// The text of a scenario: JSON, which is YAML too.
pub(crate) fn text(scenario: &Value) -> String {
    serde_json::to_string_pretty(scenario).expect("a drawn scenario is plain data")
}

pub(crate) fn drill(seed: u64, catalogs: &Catalogs, offers: &[Lever]) -> Drill {
    let mut drawing = Drawing { catalogs, offers, refused: Refused::default() };
    let mut random = Random::new(seed);
    let (mut scenario, plan) = drawing.base(seed, &mut random);
    let names = names(&plan);
    let at_most = random.between(1, 3);
    for number in 0..at_most {
        let kind = random.of(catalogs.faults.kinds).expect("there are faults");
        drawing.add(&mut scenario, "faults", kind.name, &mut random, |random| {
            let schema = Value::from((kind.schema)());
            let mut fault = window(number, &plan, &names, random);
            let params = by_schema::params(&schema, &names, random)?;
            fault.insert(kind.name.to_owned(), params);
            Some(fault.into())
        });
    }
    for _ in 0..random.between(1, 6) {
        let kind = random.of(findings::gates::CATALOG.kinds).expect("there are gates");
        drawing.add(&mut scenario, "gates", kind.name, &mut random, |random| {
            let params = by_schema::params(&Value::from((kind.schema)()), &names, random)?;
            let named: Map<String, Value> = [(kind.name.to_owned(), params)].into_iter().collect();
            Some(named.into())
        });
    }
    Drill { scenario, refused: drawing.refused }
}

struct Drawing<'a> {
    catalogs: &'a Catalogs,
    offers: &'a [Lever],
    refused: Refused,
}

impl Drawing<'_> {
    /// Everything but faults and gates.
    fn base(&mut self, seed: u64, random: &mut Random) -> (Value, Plan) {
        for _ in 0..TRIES {
            let size = Size { readings: READINGS_MAX };
            let scenario = stack::scenario(seed, size, random);
            if let Some(plan) = self.load(&scenario)
                && readings(&plan) <= 2 * READINGS_MAX
            {
                return (scenario, plan);
            }
        }
        panic!("seed {seed}: {TRIES} stacks in a row were refused");
    }

    /// Adds one item that `draw` made to a list of the scenario, unless none of its draws is accepted.
    fn add(
        &mut self,
        scenario: &mut Value,
        list: &str,
        kind: &str,
        random: &mut Random,
        draw: impl Fn(&mut Random) -> Option<Value>,
    ) {
        for _ in 0..TRIES {
            let Some(item) = draw(random) else { break };
            let mut more = scenario.clone();
            more[list].as_array_mut().expect("the base has the list").push(item);
            if self.load(&more).is_some_and(|plan| self.is_offered(&plan)) {
                *scenario = more;
                return;
            }
        }
        *self.refused.given_up.entry(format!("{list} {kind}")).or_default() += 1;
    }

    fn load(&mut self, scenario: &Value) -> Option<Plan> {
        self.refused.drawn += 1;
        let loaded = plan::load(&text(scenario), "drawn.yaml", self.catalogs);
        if let Err(mistakes) = &loaded {
            self.refused.refused += 1;
            if std::env::var_os("WETDRESS_SHOW_REFUSED").is_some() {
                println!("{}", mistakes.render(false));
            }
        }
        loaded.ok()
    }

    /// Whether the lab can do what the windows ask for when they open, whoever they pick: all that fit, or one of them.
    fn is_offered(&self, plan: &Plan) -> bool {
        let topology = &plan.topology;
        plan.windows.iter().all(|window| {
            let kind = faults::CATALOG.find(&window.fault.kind).expect("the plan was read with it");
            let fault = (kind.make)(&window.fault.params).expect("the kind wrote them itself");
            let all: Vec<_> = fault.targets().iter().map(|t| t.fitting(topology)).collect();
            let most = all.iter().map(Vec::len).max().unwrap_or(0);
            let one = |place: usize| -> Vec<Vec<End>> {
                let of = |fit: &Vec<End>| fit.get(place % fit.len().max(1)).cloned();
                all.iter().map(|fit| of(fit).into_iter().collect()).collect()
            };
            let mut picks = (0..most).map(one).chain([all.clone()]);
            picks.all(|picked| {
                let now = Moment { elapsed: Default::default(), topology, picked: &picked };
                fault.at(&now).levers().into_iter().all(|(lever, _)| {
                    lever.pulled() == model::Pulled::ByFleets || self.offers.contains(&lever)
                })
            })
        })
    }
}

/// Readings that the plan makes, about.
fn readings(plan: &Plan) -> u64 {
    let lasts = plan.stop().as_millis() as u64;
    let of_fleet = |fleet: &model::plan::Fleet| -> u64 {
        let of_asset =
            |stream: &model::plan::Stream| lasts / stream.every.as_millis().max(1) as u64;
        u64::from(fleet.assets) * fleet.streams.iter().map(of_asset).sum::<u64>()
    };
    plan.fleets.values().map(of_fleet).sum()
}

fn names(plan: &Plan) -> Names {
    let shards = |name: &model::ServiceId| {
        let count = plan.services[name].params["shards"].as_u64().unwrap_or(1);
        (0..count).map(|number| format!("{name}/s{number}")).collect::<Vec<_>>()
    };
    let services = plan.services.keys().map(ToString::to_string);
    let places = services.clone().chain(plan.services.keys().flat_map(shards)).collect();
    let endpoints = plan.topology.services.values().flat_map(|s| s.endpoints.values().copied());
    Names {
        regions: plan.topology.regions.keys().map(ToString::to_string).collect(),
        services: services.collect(),
        places,
        nodes: plan.topology.nodes.keys().map(ToString::to_string).collect(),
        fleets: plan.fleets.iter().filter(|(_, f)| !f.probe).map(|(n, _)| n.to_string()).collect(),
        observers: plan.observers.keys().map(ToString::to_string).collect(),
        phases: plan.phases.iter().map(|phase| phase.name.to_string()).collect(),
        ports: endpoints.collect(),
    }
}

/// When a fault opens and closes: apart from the others or over them, by the clock or by an event.
fn window(number: u64, plan: &Plan, names: &Names, random: &mut Random) -> Map<String, Value> {
    let mut fault = Map::new();
    fault.insert("id".into(), format!("f{number}").into());
    let faulty = plan.phases.iter().filter(|p| p.name.as_str().starts_with("fault"));
    let names_of: Vec<_> = faulty.clone().map(|phase| phase.name.to_string()).collect();
    let phase = random.of(&names_of).expect("there is a phase for faults").clone();
    let lasts = faulty
        .filter(|p| p.name.as_str() == phase)
        .find_map(|p| match p.end {
            PhaseEnd::At(end) => Some((end - p.start).as_secs()),
            PhaseEnd::Quiesced { .. } => None,
        })
        .unwrap_or(1);
    if random.percent(20) {
        let event = if random.percent(85) { "role-changed" } else { "process-exited" };
        let of = random.of(&names.places).cloned();
        let mut when = json!({"event": event, "of": of, "within": phase});
        if random.percent(50) {
            when["after"] = format!("{}ms", random.between(0, 3000)).into();
        }
        fault.insert("when".into(), when);
    } else {
        let offset = if random.percent(50) { 0 } else { random.between(0, 1000 * lasts) };
        fault.insert("at".into(), format!("{phase} + {offset}ms").into());
    }
    if random.percent(60) {
        let most = 1000 * (lasts + 10);
        fault.insert("for".into(), format!("{}ms", random.between(300, most)).into());
    }
    if random.percent(25) {
        fault.insert("follow".into(), true.into());
    }
    fault
}
