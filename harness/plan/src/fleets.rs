//! Fleets: who sends, from where, what, and how an asset holds its connection.

use std::{collections::BTreeMap, time::Duration};

use document::{Ids, Kind, Node, Problem, Problems, Sp, Span, parse, read_as};
use model::{
    CellId, FleetId, KindSpec, LinkQuality, RegionId, ServiceId, Track,
    load::Load,
    plan::{self, Ack, BackoffJitter, Fleet, Phase, Stream, StreamPhase},
    topology::Cell,
};

use crate::{
    addresses::Cells,
    bounds,
    built::Built,
    catalogs::Catalogs,
    grammar, kinds, names,
    observers::OBSERVERS,
    recorders, shapes,
    tracks::{self, Clockwork},
};

/// Laid under fleets that name a profile.
pub(crate) const PROFILES: &str = include_str!("profiles.yaml");
/// Readings carry their identity in this many bytes.
const ENVELOPE: u64 = model::envelope::LENGTH as u64;
/// The envelope's own limit of what may follow it.
const PAYLOAD_MAX: u64 = u16::MAX as u64 + ENVELOPE;
/// The fleet that `probe:` makes.
pub(crate) const PROBE: &str = "probe";
/// Names beside those of fleets: of that fleet, and of the cells of observers.
const OWN: &[&str] = &[PROBE, OBSERVERS];
const PROBE_BACKOFF_MAX: Duration = Duration::from_millis(500);
const PROBE_BACKOFF: plan::Backoff = plan::Backoff {
    base: Duration::from_millis(50),
    factor: 2.0,
    max: PROBE_BACKOFF_MAX,
    jitter: BackoffJitter::Full,
};

/// What is shared by the fleets while they are built.
pub(crate) struct Builder<'a> {
    pub(crate) catalogs: &'a Catalogs,
    pub(crate) built: &'a mut Built,
    pub(crate) cells: Cells,
    pub(crate) clockwork: Clockwork,
    pub(crate) phases: &'a [Phase],
    pub(crate) fleets: BTreeMap<FleetId, Fleet>,
    /// First asset id that is free.
    pub(crate) next: u32,
    pub(crate) problems: &'a mut Problems,
}

impl Builder<'_> {
    /// One fleet of the file. `node` has its profile merged already.
    pub(crate) fn fleet(&mut self, name: &Sp<String>, node: &Node) {
        if names::declared("fleet", name, self.problems) && OWN.contains(&name.as_str()) {
            let message = format!("`{}` is a name that the harness uses itself", name.value);
            self.problems.push(
                Problem::new("name", name.span, message)
                    .label("taken")
                    .help("Take another name for this fleet"),
            );
            return;
        }
        let before = self.problems.len();
        let Some(raw) = read_as::<grammar::Fleet>(node, self.problems) else { return };
        let whole = self.problems.len() == before;
        let driver_node = raw.driver.as_ref().and_then(|part| node.find(part.id));
        let Some((service, driver)) = self.driver(name, driver_node) else { return };
        let assets = match raw.assets {
            Some(assets) if assets.value > 0 => assets.value,
            Some(assets) => {
                self.problems.push(
                    Problem::new("range", assets.span, "a fleet of no assets")
                        .label("at least 1")
                        .help("Write how many assets there are, or leave the fleet out"),
                );
                0
            }
            None => {
                names::missing(
                    &format!("fleet `{}`", name.value),
                    "assets",
                    name.span,
                    "300",
                    self.problems,
                );
                0
            }
        };
        let reachable = self.built.regions_of(&service);
        let home = self.home(raw.home.as_ref(), assets, &reachable, whole);
        let failover = self.failover(raw.failover.as_ref(), &home, &reachable);
        let streams = self.streams(name, raw.streams.as_ref());
        let cells = self.cells_of(name, &home, raw.access.as_ref());
        let connection = self.connection(&raw.connection, raw.failback.as_ref(), name.span);
        let load = shapes::build(&raw.load, self.phases, self.problems);
        let recorder = recorders::build(&raw.recorder, &streams, self.problems);
        let fleet = Fleet {
            service,
            driver,
            first: self.next,
            assets,
            home,
            failover,
            cells,
            streams,
            load,
            connection,
            recorder,
            probe: false,
        };
        self.next = self.next.saturating_add(assets);
        self.fleets.insert(name.as_str().into(), fleet);
    }

    /// One small reading per shard and region: as many assets per region as there are shards.
    pub(crate) fn probe(&mut self, raw: &Sp<grammar::Probe>) {
        let Some(service) = self.built.service(raw.of.as_ref(), "probe", raw.span, self.problems)
        else {
            return;
        };
        let Some(every) = raw.every else {
            return names::missing("the probe", "every", raw.span, "250ms", self.problems);
        };
        let name = Sp { value: PROBE.to_owned(), span: raw.span };
        let Some((_, driver)) = self.default_driver(&service, raw.span) else { return };
        let reachable = self.built.regions_of(&service);
        let shards = self.shards(&service);
        let home: BTreeMap<RegionId, u32> =
            reachable.iter().map(|region| (region.clone(), shards)).collect();
        let failover = self.failover(None, &home, &reachable);
        let cells = self.cells_of(&name, &home, None);
        let stream = Stream {
            name: PROBE.into(),
            every: every.value.0,
            phase: StreamPhase::Random,
            jitter: Duration::ZERO,
            payload: plan::Payload { p50: 64, p99: 64 },
            ack: Ack::Required,
        };
        // A probe measures the service: the patience of a polite client would be measured instead.
        let own = self.connection(&grammar::Connection::default(), None, raw.span);
        let connection = plan::Connection {
            connect_timeout: PROBE_BACKOFF_MAX,
            backoff: PROBE_BACKOFF,
            attempts: 1,
            ..own
        };
        let recorder = recorders::build(&grammar::Recorder::default(), &[], self.problems);
        let assets = home.values().sum();
        let fleet = Fleet {
            service,
            driver,
            first: self.next,
            assets,
            home,
            failover,
            cells,
            streams: vec![stream],
            load: Load::default(),
            connection,
            recorder,
            probe: true,
        };
        self.next = self.next.saturating_add(assets);
        self.fleets.insert(PROBE.into(), fleet);
    }

    fn shards(&self, service: &ServiceId) -> u32 {
        let spec = self.built.services.get(service).and_then(|running| running.spec.as_ref());
        let living = spec.and_then(|spec| {
            crate::services::layout_of(self.catalogs, service, spec, &self.built.topology)
        });
        living.map_or(1, |living| living.shards().len().max(1) as u32)
    }

    /// `driver: {kind, service, ...}`; both words have defaults where there is only one choice.
    fn driver(&mut self, fleet: &Sp<String>, node: Option<&Node>) -> Option<(ServiceId, KindSpec)> {
        let Some(node) = node else {
            let service = self.built.service(None, "driver", fleet.span, self.problems)?;
            return self.default_driver(&service, fleet.span);
        };
        let named = node
            .at("service")
            .and_then(|value| Some(Sp { value: value.text()?.to_owned(), span: value.span }));
        // Without a service the parameters are read all the same: the key that names it may be among them, misspelt.
        let service = self.built.service(named.as_ref(), "driver", node.span, self.problems);
        let family = self.catalogs.drivers();
        let rest = node.without(&["kind", "service"]);
        let name = match kinds::kind_of(node) {
            Some((kind, span)) => kinds::find(&family, kind, span, self.problems)?.name,
            None => self.default_driver_kind(service.as_ref()?, node.span)?,
        };
        let kind = family.find(name).expect("found just above");
        let params = kinds::params(kind, &rest, &["kind", "service"], self.problems)?;
        let service = service?;
        let service_kind = &self.built.services.get(&service)?.kind;
        if let Some(system) = self.catalogs.system_of(service_kind)
            && system.drivers.find(name).is_none()
        {
            let message =
                format!("the driver `{name}` does not speak to a service of kind `{service_kind}`");
            let drivers: Vec<&str> = system.drivers.names().collect();
            self.problems.push(
                Problem::new("name", node.span, message)
                    .label("another system")
                    .help(format!("Take {}", names::quoted(&drivers))),
            );
        }
        Some((service, params))
    }

    fn default_driver_kind(&mut self, service: &ServiceId, at: Span) -> Option<&'static str> {
        let kind = &self.built.services.get(service)?.kind;
        let drivers: Vec<&str> = self.catalogs.system_of(kind)?.drivers.names().collect();
        match drivers
            .iter()
            .find(|name| *name == kind)
            .or(drivers.first().filter(|_| drivers.len() == 1))
        {
            Some(name) => Some(name),
            None => {
                names::missing(
                    "the driver",
                    "kind",
                    at,
                    drivers.first().unwrap_or(&"kind"),
                    self.problems,
                );
                None
            }
        }
    }

    fn default_driver(&mut self, service: &ServiceId, at: Span) -> Option<(ServiceId, KindSpec)> {
        let family = self.catalogs.drivers();
        let kind = family.find(self.default_driver_kind(service, at)?)?;
        let empty = Node { id: 0, span: at, origin: None, kind: Kind::Map(vec![]) };
        Some((service.clone(), kinds::params(kind, &empty, &["kind", "service"], self.problems)?))
    }

    fn streams(
        &mut self,
        fleet: &Sp<String>,
        raw: Option<&Sp<BTreeMap<Sp<String>, grammar::Stream>>>,
    ) -> Vec<Stream> {
        let Some(raw) = raw.filter(|raw| !raw.is_empty()) else {
            names::missing(
                &format!("fleet `{}`", fleet.value),
                "streams",
                fleet.span,
                "{status: {every: 1s}}` or `profile: user_terminal",
                self.problems,
            );
            return vec![];
        };
        if !bounds::within("streams", raw.len(), bounds::STREAMS_MAX, raw.span, self.problems) {
            return vec![];
        }
        raw.iter().filter_map(|(name, stream)| self.stream(name, stream)).collect()
    }

    fn stream(&mut self, name: &Sp<String>, raw: &grammar::Stream) -> Option<Stream> {
        names::declared("stream", name, self.problems);
        let Some(every) = raw.every else {
            names::missing(
                &format!("stream `{}`", name.value),
                "every",
                name.span,
                "1s",
                self.problems,
            );
            return None;
        };
        let jitter = raw.jitter.map_or(Duration::ZERO, |jitter| jitter.value.0);
        if jitter * 2 > every.value.0 {
            let span = raw.jitter.map_or(every.span, |jitter| jitter.span);
            let problem =
                Problem::new("range", span, "the jitter is more than half of the interval")
                    .label("readings would overtake each other");
            self.problems.push(problem);
        }
        let payload = raw.payload.map_or((256, 256, name.span), |payload| match payload.value {
            grammar::Payload::Fixed(size) => (size.0, size.0, payload.span),
            grammar::Payload::Spread(spread) => (spread.p50.0, spread.p99.0, payload.span),
        });
        let (p50, p99, span) = payload;
        if p50 < ENVELOPE || p99 < p50 || p99 > PAYLOAD_MAX {
            let message = format!("a payload of {p50} B to {p99} B");
            let problem = Problem::new("range", span, message).label("out of range");
            self.problems.push(
                problem
                    .help(format!("From {ENVELOPE} B, which every reading needs for its identity, to {PAYLOAD_MAX} B, p99 not below p50")),
            );
        }
        let payload =
            plan::Payload { p50: p50.min(PAYLOAD_MAX) as u32, p99: p99.min(PAYLOAD_MAX) as u32 };
        Some(Stream {
            name: name.as_str().into(),
            every: every.value.0,
            phase: raw.phase.unwrap_or(StreamPhase::Random),
            jitter,
            payload,
            ack: raw.ack.unwrap_or(Ack::Required),
        })
    }

    fn cells_of(
        &mut self,
        fleet: &Sp<String>,
        home: &BTreeMap<RegionId, u32>,
        way: Option<&grammar::Quality>,
    ) -> BTreeMap<RegionId, CellId> {
        let access = way.map_or_else(LinkQuality::default, |way| {
            crate::stack::quality(way, fleet.span, self.problems)
        });
        let draws = self.clockwork.draws.named(&fleet.value);
        self.built.clock = self.built.clock.max(way.and_then(tracks::period));
        let mut cells = BTreeMap::new();
        for (region, hosts) in home {
            let id = CellId::from(format!("{region}/{}", fleet.value));
            let Some((base, prefix)) = self.cells.take(*hosts) else {
                let message = format!("no addresses are left for the assets of `{}`", fleet.value);
                let problem =
                    Problem::new("range", fleet.span, message).label("too many assets for one lab");
                self.problems
                    .push(problem.help("A lab has 65,536 addresses for assets; take fewer assets"));
                return cells;
            };
            let owner = format!("fleet `{}`", fleet.value);
            if !self.built.taken.take("cell", id.as_str(), (&owner, fleet.span), self.problems) {
                continue;
            }
            let mut track = way
                .map(|way| self.clockwork.track(way, draws.named(region.as_str()), self.problems))
                .unwrap_or_default();
            if !self.built.has_room(&track, fleet.span, self.problems) {
                track = Track::default();
            }
            let count = self.built.topology.cells.len() + 1;
            if !bounds::within(
                "cells of fleets in regions",
                count,
                bounds::CELLS_MAX,
                fleet.span,
                self.problems,
            ) {
                return cells;
            }
            let fleet = Some(fleet.as_str().into());
            let cell = Cell {
                region: region.clone(),
                fleet,
                base,
                prefix,
                hosts: *hosts,
                access: access.clone(),
                track,
            };
            self.built.topology.cells.insert(id.clone(), cell);
            cells.insert(region.clone(), id);
        }
        cells
    }

    fn connection(
        &mut self,
        raw: &grammar::Connection,
        failback: Option<&grammar::Failback>,
        at: Span,
    ) -> plan::Connection {
        let or = |time: Option<grammar::Patience>, seconds| {
            time.map_or(Duration::from_secs(seconds), Into::into)
        };
        let base = or(raw.backoff.base, 1);
        let max = raw.backoff.max.map_or(Duration::from_secs(60), |max| max.value.0);
        if max < base {
            let span = raw.backoff.max.map_or(at, |max| max.span);
            self.problems.push(
                Problem::new("range", span, "the longest backoff is shorter than the first one")
                    .label("below `base`"),
            );
        }
        let factor = raw.backoff.factor.map_or(2.0, |factor| factor.value);
        if !(1.0..=100.0).contains(&factor) {
            let span = raw.backoff.factor.map_or(at, |factor| factor.span);
            self.problems.push(
                Problem::new("range", span, format!("a backoff factor of {factor}"))
                    .label("from 1 to 100"),
            );
        }
        let jitter = raw.backoff.jitter.unwrap_or(BackoffJitter::Full);
        let failback = plan::Failback {
            after: failback.and_then(|raw| raw.after).map_or(Duration::from_secs(120), Into::into),
            jitter: failback.and_then(|raw| raw.jitter).map_or(Duration::from_secs(60), Into::into),
        };
        plan::Connection {
            connect_timeout: or(raw.connect_timeout, 5),
            request_timeout: or(raw.request_timeout, 1),
            backoff: plan::Backoff { base, factor, max, jitter },
            shared_by: raw.shared_by.map_or(1, Into::into),
            max_inflight: raw.max_inflight.map_or(16, Into::into),
            attempts: raw.attempts.map_or(2, Into::into),
            failback: Some(failback),
        }
    }
}

/// Lays a fleet over its profile. The profiles are ours: they always read.
pub(crate) fn with_profile(
    fleet: &Node,
    source: document::SourceId,
    ids: &mut Ids,
    problems: &mut Problems,
) -> Node {
    let Some((name, span)) =
        fleet.at("profile").and_then(|value| Some((value.text()?, value.span)))
    else {
        return fleet.clone();
    };
    let profiles =
        parse(PROFILES, source, ids, problems).expect("the profiles of this build are readable");
    let declared = profiles.entries().iter().map(|entry| entry.key.text.as_str());
    if !names::known("profile", name, span, declared, problems) {
        return fleet.clone();
    }
    profiles.at(name).expect("known just above").clone().merged(fleet.clone())
}
