//! Good scenarios: what comes out of them.

mod kinds;

use std::time::Duration;

use model::plan::{Closing, EventPattern, Opening, PhaseEnd};

const HURRY: &str = "
scenario: lose-west
stack:
  regions: {us-west: {}, us-east: {}, eu-west: {}}
  services: {ingest: {kind: reference}}
traffic:
  fleets:
    terminals: {profile: user_terminal, assets: 2000}
faults:
  - {at: fault, region-loss: {region: us-west, how: power}}
gates:
  - latency.ack.p99: {max: 250ms, during: baseline}
";

fn load(text: &str) -> model::Plan {
    wetdress_plan::load(text, "test.yaml", &kinds::catalogs())
        .unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

#[test]
fn a_hurried_scenario_gets_everything_else_by_default() {
    let plan = load(HURRY);
    assert_eq!(plan.lab.kind, "local");
    assert_eq!(plan.topology.nodes.len(), 3);
    let fleet = &plan.fleets["terminals"];
    assert_eq!(fleet.home.values().sum::<u32>(), 2000);
    assert_eq!(fleet.failover["us-west"], ["eu-west".into(), "us-east".into()]);
    assert_eq!(fleet.streams[0].every, Duration::from_secs(15));
    assert_eq!((fleet.driver.kind.as_str(), fleet.service.as_str()), ("reference", "ingest"));
    let observer = &plan.observers["ingest-record"];
    assert!(
        observer.of_record && observer.region.as_str() != "us-west",
        "the default observer stays out of the lost region"
    );
    let names: Vec<&str> = plan.phases.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(names, ["warmup", "baseline", "fault", "recovery", "failback", "verify"]);
    let steady: Vec<bool> = plan.phases.iter().map(|phase| phase.steady).collect();
    assert_eq!(steady, [false, true, false, false, false, false]);
    let window = &plan.windows[0];
    assert_eq!(window.opening, Opening::At(Duration::from_secs(130)));
    assert_eq!(window.closing, Closing::At(Duration::from_secs(190)));
    assert_eq!(window.fault.params, serde_json::json!({"region": "us-west", "how": "power"}));
    let gates: Vec<(&str, u32)> =
        plan.gates.iter().map(|gate| (gate.name.as_str(), gate.line)).collect();
    assert_eq!(gates, [("latency.ack.p99", 12), ("acked_lost", 0)]);
    assert_eq!(plan.reports, ["html", "junit", "terminal"]);
}

#[test]
fn a_secret_is_known_by_its_place_only_and_its_file_lies_beside_the_scenario() {
    let text = HURRY.replace(
        "services: {ingest: {kind: reference}}",
        "services: {ingest: {kind: reference}, one: {kind: registry, nodes: {us-east: 1}, password: {file: one.password}}}",
    );
    let text = text.replace("assets: 2000", "assets: 2000, driver: {service: ingest}");
    let text = format!("{text}observers: [{{name: record, service: ingest, region: us-east}}]\n");
    let loaded = wetdress_plan::load(&text, "/drills/west.yaml", &kinds::catalogs());
    let plan = loaded.unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let place = serde_json::json!({"file": "/drills/one.password"});
    assert_eq!(plan.services["one"].params["password"], place);
    let [written] = &plan.source.written.secrets[..] else { panic!("one secret is named") };
    assert_eq!(written.secret, place);
    assert_eq!(written.at.to_string(), "/drills/west.yaml:5:94");
}

#[test]
fn the_plan_survives_json() {
    let plan = load(HURRY);
    let text = serde_json::to_string(&plan).expect("a plan is data");
    assert_eq!(serde_json::from_str::<model::Plan>(&text).expect("a plan is data"), plan);
}

#[test]
fn comments_and_order_do_not_change_the_hash_and_values_do() {
    let plan = load(HURRY);
    assert_eq!(load(&format!("# a comment\n{HURRY}")).source.sha256, plan.source.sha256);
    assert_ne!(load(&HURRY.replace("2000", "2001")).source.sha256, plan.source.sha256);
    assert_eq!(load(HURRY).seed, plan.seed);
}

#[test]
fn a_pair_given_once_is_symmetric_and_given_reversed_is_not() {
    let links = |lines: &str| {
        load(&HURRY.replace("  services:", &format!("  links:\n{lines}  services:"))).topology.wan
    };
    let one = links("    us-west ~ us-east: {delay: 32ms}\n");
    let both = links(
        "    us-west ~ us-east: {delay: 32ms}\n    us-east ~ us-west: {delay: 50ms, jitter: 1ms}\n",
    );
    let delay = |wan: &std::collections::BTreeMap<
        (model::RegionId, model::RegionId),
        model::LinkQuality,
    >,
                 from: &str,
                 to: &str| { wan[&(from.into(), to.into())].delay.as_millis() };
    assert_eq!((delay(&one, "us-west", "us-east"), delay(&one, "us-east", "us-west")), (32, 32));
    assert_eq!((delay(&both, "us-west", "us-east"), delay(&both, "us-east", "us-west")), (32, 50));
    assert_eq!(delay(&one, "us-west", "eu-west"), 0);
}

#[test]
fn windows_open_by_phase_offset_and_event() {
    let text = HURRY.replace(
        "gates:",
        "  - {id: second, at: fault + 5s, for: 10s, kill: {node: ingest-us-east-1}}
  - id: third
    when: {event: role-changed, of: ingest/s1, within: fault}
    for: 4s
    kill: {role: leader, of: ingest/s1, follow: true}
gates:",
    );
    let plan = load(&text);
    assert_eq!(plan.windows[1].closing, Closing::At(Duration::from_secs(145)));
    assert!(plan.windows[2].follow && matches!(plan.windows[2].opening, Opening::When { .. }));
    assert_eq!(plan.windows[2].closing, Closing::After(Duration::from_secs(4)));
}

#[test]
fn cells_hold_every_asset_and_do_not_overlap() {
    let plan = load(HURRY);
    let cells: Vec<_> = plan.topology.cells.values().collect();
    assert_eq!(
        cells.iter().filter(|cell| cell.fleet.is_some()).map(|cell| cell.hosts).sum::<u32>(),
        2000
    );
    for (i, cell) in cells.iter().enumerate() {
        let span = |cell: &model::topology::Cell| {
            (u32::from(cell.base), u32::from(cell.base) + (1u32 << (32 - cell.prefix)))
        };
        let (start, end) = span(cell);
        assert!(end - start >= cell.hosts);
        assert!(cells[i + 1..].iter().all(|other| span(other).0 >= end || span(other).1 <= start));
    }
}

#[test]
fn a_profile_is_merged_deeply() {
    let text = HURRY.replace(
        "assets: 2000}",
        "assets: 20, streams: {status: {every: 1s}}, connection: {backoff: {max: 20s}}}",
    );
    let fleet = &load(&text).fleets["terminals"];
    assert_eq!(fleet.streams[0].every, Duration::from_secs(1));
    assert_eq!(fleet.streams[0].payload.p50, 450);
    assert_eq!(fleet.connection.backoff.max, Duration::from_secs(20));
}

#[test]
fn the_last_phase_may_last_until_quiesced() {
    let text = HURRY.replace(
        "faults:",
        "phases:\n  - {name: baseline, for: 30s}\n  - {name: fault, for: 20s}\n  - {name: verify, until: quiesced, max: 40s}\nfaults:",
    );
    let plan = load(&text);
    assert_eq!(plan.phases[2].end, PhaseEnd::Quiesced { latest: Duration::from_secs(90) });
    assert_eq!(plan.stop(), Duration::from_secs(50));
}

const PIPELINE: &str = "
scenario: pipeline
stack:
  regions: {us-west: {}, us-east: {}, eu-west: {}}
  services: {ingest: {kind: reference}, side: {kind: reference}, sink: {kind: reference}}
traffic:
  fleets:
    terminals: {profile: user_terminal, assets: 20, driver: {kind: reference, service: ingest}}
    tellers: {profile: user_terminal, assets: 20, driver: {kind: reference, service: TO}}
observers:
  - {name: log, service: ingest, region: us-east}
  - {name: rows, service: sink, region: us-east, FLEETS}
";

/// An observer looks for what its service takes, and somebody must say what that is where it cannot be known.
#[test]
fn an_observer_knows_whose_readings_reach_its_service() {
    let load = |to: &str, fleets: &str| {
        let text = PIPELINE.replace("TO", to).replace(", FLEETS", fleets);
        wetdress_plan::load(&text, "test.yaml", &kinds::catalogs())
    };
    let looks_for = |plan: &model::Plan, observer: &str| {
        plan.observers[observer].fleets.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let one = load("ingest", "").unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(looks_for(&one, "rows"), ["tellers", "terminals"], "there is one source");
    let two = load("side", ", fleets: [tellers]").unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(looks_for(&two, "log"), ["terminals"]);
    assert_eq!(looks_for(&two, "rows"), ["tellers"]);
    let services = two.services_of(&"tellers".into()).into_iter().map(ToString::to_string);
    assert_eq!(services.collect::<Vec<_>>(), ["side", "sink"]);
    let mistakes = load("side", "").expect_err("two services could feed the sink").to_string();
    assert!(mistakes.contains("no fleet sends to `sink`"), "{mistakes}");
    let mistakes = load("side", ", fleets: [teller]").expect_err("no such fleet").to_string();
    assert!(mistakes.contains("`teller`") && mistakes.contains("tellers"), "{mistakes}");
}

/// Nobody looks, unasked, into a service that no fleet sends to: there would be nothing to see.
#[test]
fn default_observers_stand_where_fleets_send_to() {
    let cut = PIPELINE.find("observers:").expect("it has a section of them");
    let plan = load(&PIPELINE[..cut].replace("TO", "side"));
    let names: Vec<&str> = plan.observers.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["ingest-record", "side-record"]);
}

#[test]
fn a_service_may_share_nodes_and_need_whom_it_shares_with() {
    let registry =
        "{kind: registry, nodes_of: ingest, nodes: {us-west: 1, us-east: 1}, store: ingest}";
    let text = HURRY
        .replace("{ingest:", &format!("{{a-registry: {registry}, ingest:"))
        .replace("assets: 2000", "assets: 2000, driver: {kind: reference, service: ingest}")
        .replace(
            "gates:",
            "  - {id: next, when: {event: role-changed, of: a-registry}, for: 4s, kill: {node: ingest-us-east-1}}
gates:",
        );
    let plan = load(&text);
    let (topology, registry) = (&plan.topology, model::ServiceId::from("a-registry"));
    let nodes: Vec<&str> = topology.nodes_of(&registry).map(model::NodeId::as_str).collect();
    assert_eq!((topology.nodes.len(), nodes), (3, vec!["ingest-us-east-1", "ingest-us-west-1"]));
    assert_eq!(topology.start_order(), Ok(vec!["ingest".into(), "a-registry".into()]));
    let site = seams::Site {
        service: registry.clone(),
        topology: std::sync::Arc::new(topology.clone()),
        run: 1,
        seed: 1,
        keyring: Default::default(),
    };
    let endpoints = site.endpoints(&"ingest".into(), "client");
    assert_eq!((endpoints.len(), &endpoints[0]), (3, &("ingest-eu-west-1".into(), 7000)));
    assert_eq!(site.endpoints(&"ingest".into(), "peer"), []);
    // The role that leads is another word in each system.
    assert!(matches!(
        &plan.windows[1].opening,
        Opening::When { event: EventPattern::RoleChanged { role, .. }, .. } if role == "primary"
    ));
}
