//! A drill in the pretend lab: three regions with one node of a simulated log and a few assets each. What differs is its windows.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use document::{Ids, Problems, Sources, parse};
use model::{
    End, Event, KindSpec, Micros, NodeId, Plan, RegionId, ShardId, Sighting,
    event::Claim,
    ledger::Fate,
    plan::{Closing, EventPattern, Opening, Window, read_back_of},
};

use crate::build::PRETEND;

const QUIET: &str = "scenario: drill
seed: 20261123
stack:
  lab: pretend
  regions: {us-west: {}, us-east: {}, eu-west: {}}
  links:
    us-west ~ us-east: {delay: 30ms, jitter: 2ms}
    us-west ~ eu-west: {delay: 30ms, jitter: 2ms}
    us-east ~ eu-west: {delay: 30ms, jitter: 2ms}
  services:
    logs: {kind: pretend, shards: 6, election_timeout: 1s}
traffic:
  fleets:
    terminals:
      assets: 12
      access: {delay: 5ms}
      streams: {status: {every: 200ms, payload: 128B}}
      connection:
        connect_timeout: 1s
        request_timeout: 1s
        attempts: 2
        backoff: {base: 10ms, max: 10ms, jitter: none}
observers:
  - {name: record, kind: pretend, service: logs, region: us-east, shows: log, of_record: true}
phases:
  - {name: baseline, for: 30s}
  - {name: outage, for: 30s}
  - {name: recovery, for: 30s}
  - {name: verify, until: quiesced, max: 15s}
";

/// One ack: when it was sent and answered, and where it stands.
#[derive(Clone, Debug)]
pub struct Acked {
    pub asset: u32,
    pub sent: Micros,
    pub at: Micros,
    pub position: u64,
}

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
        Self { plan: PRETEND.load(QUIET) }
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

    /// Put into the plan past the scenario's own reader: it would refuse a window whose targets nobody can fit.
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
        let fault = KindSpec { kind: name.to_owned(), params };
        let deed = String::new();
        self.plan.windows.push(Window { id: id.into(), fault, opening, closing, follow, deed });
        self
    }

    /// Plays it to its end.
    pub fn run(self) -> Told {
        let played = PRETEND.play(self.plan);
        played.result.as_ref().unwrap_or_else(|error| panic!("{error}"));
        let loaded = played.loaded();
        let rows = loaded.rows(0).expect("a ledger").map(|row| row.expect("a whole ledger"));
        let acked = rows.filter(|row| row.fate == Fate::Acked).map(|row| Acked {
            asset: row.identity.asset,
            sent: row.attempts.last().expect("acked is sent").sent,
            at: row.acked.expect("acked is stamped"),
            position: row.position.expect("a log has positions"),
        });
        let record = "record".into();
        let saw = |observer| loaded.sightings(observer).expect("what an observer saw");
        let events = played.events();
        Told {
            acked: acked.collect(),
            saw: saw(&record),
            read_back: saw(&read_back_of(&record)),
            complete: events
                .iter()
                .any(|(_, event)| matches!(event, Event::Quiesced { complete: true })),
            events,
        }
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
                let parts = || affected.0.values();
                Some(Asked {
                    at: *at,
                    picked: nodes_of(picked),
                    claims: claims.clone(),
                    regions: parts().flat_map(|parts| parts.regions.clone()).collect(),
                    shards: parts().flat_map(|parts| parts.shards.clone()).collect(),
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
                Some((*at, nodes_of(picked)))
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

/// All picked nodes, whichever target they are for.
fn nodes_of(picked: &[Vec<End>]) -> Vec<NodeId> {
    let node = |end: &End| match end {
        End::Node(name) => Some(name.clone()),
        End::Cell(_) => None,
    };
    picked.iter().flatten().filter_map(node).collect()
}
