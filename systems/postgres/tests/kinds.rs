//! What a scenario may write for PostgreSQL and Patroni, and the files that come of it. Needs neither.

use std::sync::Arc;

use document::{Ids, Problems, SourceId, parse};
use model::{NodeId, ServiceId, Topology, topology};
use seams::{
    Process, Service, Site,
    catalog::{Catalog, Kind},
};
use serde_json::Value;
use wetdress_postgres::SYSTEM;

fn read<M>(kind: &Kind<M>, yaml: &str) -> (Option<Value>, Problems) {
    let (mut ids, mut problems) = (Ids::default(), Problems::new());
    let node = parse(yaml, SourceId(0), &mut ids, &mut problems).expect("it is YAML");
    let params = (kind.read)(&node, &mut problems);
    (params, problems)
}

/// Reads every kind's example, and checks that a key it does not know is told.
fn examples<M>(catalog: &'static Catalog<M>) -> Vec<(&'static Kind<M>, Value)> {
    let of_kind = |kind: &'static Kind<M>| {
        let (params, problems) = read(kind, kind.example);
        assert_eq!(problems, [], "{}", kind.name);
        let strange = read(kind, "{etcd: locks, colour: red}").1;
        assert!(
            strange.iter().any(|problem| problem.message.contains("colour")),
            "{}: {strange:?}",
            kind.name
        );
        (kind, params.expect("no problem, no loss"))
    };
    catalog.kinds.iter().map(of_kind).collect()
}

/// Three nodes with an etcd and a server each.
fn site() -> Site {
    let node = |last| topology::Node {
        region: "r".into(),
        zone: None,
        services: [ServiceId::from("registry"), ServiceId::from("locks")].into(),
        address: [198, 18, 0, last].into(),
    };
    let nodes = [("a", 1), ("b", 2), ("c", 3)].map(|(name, last)| (NodeId::from(name), node(last)));
    let mut topology = Topology { nodes: nodes.into(), ..Topology::default() };
    let locks = topology::Service {
        endpoints: [("client".to_owned(), 2379)].into(),
        ..topology::Service::default()
    };
    topology.services.insert("locks".into(), locks);
    Site {
        service: "registry".into(),
        topology: Arc::new(topology),
        run: 7,
        seed: 1,
        keyring: Default::default(),
    }
}

fn service(kind: &str, yaml: &str, nodes: usize) -> Arc<dyn Service> {
    let kind = SYSTEM.services.find(kind).expect("it is there");
    let (params, problems) = read(kind, yaml);
    assert_eq!(problems, []);
    let mut topology = Topology::clone(&site().topology);
    while topology.nodes.len() > nodes {
        topology.nodes.pop_last();
    }
    let site = Site { topology: Arc::new(topology), ..site() };
    (kind.make)(&params.expect("it is right"), &site).expect("it can be made")
}

fn process(kind: &str, yaml: &str) -> Process {
    service(kind, yaml, 3).processes(&"b".into(), &*site().topology).remove(0)
}

#[test]
fn what_the_nodes_cannot_carry_is_refused() {
    for (kind, yaml, nodes, objections) in [
        ("postgres", "{}", 1, 0),
        ("postgres", "{}", 3, 1),
        ("patroni", "{etcd: locks, replication: sync}", 3, 0),
        ("patroni", "{etcd: locks, replication: sync}", 1, 1),
        ("patroni", "{etcd: locks}", 1, 0),
    ] {
        let said = service(kind, yaml, nodes).check();
        assert_eq!(said.len(), objections, "{kind} {yaml} on {nodes} nodes: {said:?}");
    }
}

#[test]
fn every_kind() {
    for (kind, params) in examples(&SYSTEM.services) {
        (kind.make)(&params, &site()).expect("what was read can be made");
    }
    for (kind, params) in examples(&SYSTEM.drivers) {
        let policy = (kind.make)(&params, &site()).expect("what was read can be made").policy();
        assert!(policy.contains("No retry") && policy.contains("ReadyForQuery"), "{policy}");
    }
    for (kind, params) in examples(&SYSTEM.observers) {
        (kind.make)(&params, &site()).expect("what was read can be made");
    }
}

#[test]
fn what_patroni_would_change_by_itself_is_refused() {
    let kind = SYSTEM.services.find("patroni").expect("it is there");
    for (yaml, why) in [
        ("{etcd: locks, ttl: 10s}", "at least `20s`"),
        ("{etcd: locks, ttl: 20s}", "twice `retry_timeout`"),
        ("{etcd: locks, retry_timeout: 2s}", "at least `3s`"),
        ("{etcd: locks, loop_wait: 1500ms}", "whole multiples"),
        ("{etcd: locks, version: 3.1.0}", "3.1.0"),
        ("{etcd: locks, table: 'a; DROP'}", "plain SQL name"),
    ] {
        let (params, problems) = read(kind, yaml);
        assert!(
            problems.len() == 1 && problems[0].message.contains(why),
            "{yaml}: {params:?} {problems:?}"
        );
    }
}

#[test]
fn settings_of_a_scenario_replace_ours() {
    let process = process("postgres", "{settings: {fsync: 'off', max_connections: '50'}}");
    let args = process.command.args.join(" ");
    assert!(args.contains("-c fsync=off") && args.contains("-c max_connections=50"), "{args}");
    assert!(args.contains("-h 198.18.0.2") && !args.contains("max_connections=200"), "{args}");
    assert!(process.steps[0].program.ends_with("initdb"));
}

#[test]
fn a_member_is_told_of_the_locks_and_of_itself() {
    let process = process("patroni", "{etcd: locks, replication: sync-strict, version: 3.0.2}");
    assert_eq!(process.command.program.to_str(), Some("/usr/bin/patroni"));
    let config: Value =
        serde_json::from_str(&process.files["{data}/patroni.yml"]).expect("it is JSON");
    assert_eq!(
        config["etcd3"]["hosts"],
        serde_json::json!(["198.18.0.1:2379", "198.18.0.2:2379", "198.18.0.3:2379"])
    );
    assert_eq!(config["postgresql"]["listen"], "198.18.0.2:5432");
    let dcs = &config["bootstrap"]["dcs"];
    assert_eq!((&dcs["ttl"], &dcs["synchronous_mode"]), (&30.into(), &true.into()));
    assert_eq!(dcs["synchronous_mode_strict"], true);
}

#[test]
fn a_newer_patroni_is_found_among_the_servers() {
    let command = process("patroni", "{etcd: locks}").command;
    assert_eq!(command.env["PYTHONPATH"], "{servers}/patroni-4.1.5");
    assert_eq!(command.program.to_str(), Some("/usr/bin/python3"));
}

#[test]
fn secrets_lie_in_private_files_only() {
    let mut topology = Topology::clone(&site().topology);
    topology.nodes.retain(|name, _| name.as_str() == "b");
    let site = Site { topology: Arc::new(topology), ..site() };
    let params = serde_json::json!({"secured": {"tls": "mutual", "user": "fleet"}});
    let kind = SYSTEM.services.find("postgres").expect("it is there");
    let service = (kind.make)(&params, &site).expect("the parameters are right");
    let secured = service.secured().expect("it says so");
    site.keyring.secure(&site.service, secured).expect("no secret is named");
    let login = site.keyring.login(&site.service).and_then(|login| login.password);
    let password = login.expect("one was made");
    let process = &service.processes(&"b".into(), &*site.topology)[0];
    assert_eq!(&process.private["{private}/password"], &password);
    assert!(process.private["{private}/server.key"].reveal().contains("PRIVATE KEY"));
    let shown = format!("{process:?} {service:?}");
    for line in [
        "hostssl all all 0.0.0.0/0 scram-sha-256 clientcert=verify-ca",
        "--username=fleet",
        "ssl=on",
    ] {
        assert!(shown.contains(line), "{line} is not in {shown}");
    }
    assert!(!shown.contains(password.reveal()) && !shown.contains("BEGIN"), "{shown}");
}
