//! What a scenario may write for etcd, and the flags that come of it. Needs no etcd.

use std::sync::Arc;

use document::{Ids, Problems, SourceId, parse};
use model::{End, NodeId, ServiceId, Topology, topology};
use seams::{
    Addresses, Site,
    catalog::{Catalog, Kind},
};
use serde_json::Value;
use wetdress_etcd::SYSTEM;

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
        assert_eq!(read(kind, "{colour: red}").1.len(), 1, "{}", kind.name);
        (kind, params.expect("no problem, no loss"))
    };
    catalog.kinds.iter().map(of_kind).collect()
}

fn site() -> Site {
    let node = |last| topology::Node {
        region: "r".into(),
        zone: None,
        services: [ServiceId::from("locks")].into(),
        address: [198, 18, 0, last].into(),
    };
    let nodes = [("a", 1), ("b", 2), ("c", 3)].map(|(name, last)| (NodeId::from(name), node(last)));
    let topology = Topology { nodes: nodes.into(), ..Topology::default() };
    Site {
        service: "locks".into(),
        topology: Arc::new(topology),
        run: 7,
        seed: 1,
        keyring: Default::default(),
    }
}

#[test]
fn every_kind() {
    for (kind, params) in examples(&SYSTEM.services) {
        assert_eq!(
            (kind.make)(&params, &site()).expect("what was read can be made").timers().len(),
            2
        );
    }
    for (kind, params) in examples(&SYSTEM.drivers) {
        let policy = (kind.make)(&params, &site()).expect("what was read can be made").policy();
        assert!(policy.contains("No retry") && policy.contains("after 1s"), "{policy}");
    }
    for (kind, params) in examples(&SYSTEM.observers) {
        (kind.make)(&params, &site()).expect("what was read can be made");
    }
}

#[test]
fn timers_that_etcd_refuses_are_refused_before_it_is_asked() {
    let kind = SYSTEM.services.find("etcd").expect("it is there");
    for (yaml, why) in [
        ("{heartbeat_interval: 300ms, election_timeout: 1s}", "five times"),
        ("{heartbeat_interval: 500us}", "at least `1ms`"),
        ("{heartbeat_interval: 1500us}", "1500us"),
        ("{election_timeout: 50s}", "at most `49999ms`"),
    ] {
        let (params, problems) = read(kind, yaml);
        assert!(
            problems.len() == 1 && problems[0].message.contains(why),
            "{yaml}: {params:?} {problems:?}"
        );
    }
}

#[test]
fn a_member_is_told_of_all_members() {
    let kind = SYSTEM.services.find("etcd").expect("it is there");
    let (params, _) = read(kind, "{election_timeout: 2s, pre_vote: false}");
    let service = (kind.make)(&params.expect("it is right"), &site()).expect("it can be made");
    let process = service.processes(&"b".into(), &*site().topology).remove(0);
    for flag in [
        "--name=b",
        "--data-dir={data}/etcd",
        "--listen-peer-urls=http://198.18.0.2:2380",
        "--advertise-client-urls=http://198.18.0.2:2379",
        "--initial-cluster=a=http://198.18.0.1:2380,b=http://198.18.0.2:2380,c=http://198.18.0.3:2380",
        "--heartbeat-interval=100",
        "--election-timeout=2000",
        "--pre-vote=false",
    ] {
        assert!(
            process.command.args.iter().any(|arg| arg == flag),
            "{flag} is not among {:?}",
            process.command.args
        );
    }
}

/// A lab may put a proxy on each link.
#[derive(Debug)]
struct Proxied;

impl Addresses for Proxied {
    fn of(&self, node: &NodeId, port: u16, seen_from: &End) -> String {
        format!("{seen_from}-to-{node}:{port}")
    }
}

#[test]
fn a_member_is_told_where_others_are_reached_from_its_own_node() {
    let kind = SYSTEM.services.find("etcd").expect("it is there");
    let (params, _) = read(kind, "{}");
    let service = (kind.make)(&params.expect("it is right"), &site()).expect("it can be made");
    let process = service.processes(&"b".into(), &Proxied).remove(0);
    for flag in [
        "--listen-client-urls=http://b-to-b:2379",
        "--initial-cluster=a=http://b-to-a:2380,b=http://b-to-b:2380,c=http://b-to-c:2380",
    ] {
        assert!(process.command.args.iter().any(|arg| arg == flag), "{:?}", process.command.args);
    }
}

#[test]
fn tls_is_between_all_and_users_are_refused() {
    let site = site();
    let kind = SYSTEM.services.find("etcd").expect("it is there");
    let make = |secured| {
        let params = serde_json::json!({"secured": secured});
        (kind.make)(&params, &site).expect("the parameters are right")
    };
    let service = make(serde_json::json!({"tls": "mutual"}));
    let secured = service.secured().expect("it says so");
    site.keyring.secure(&site.service, secured).expect("no secret is named");
    let process = &service.processes(&"b".into(), &*site.topology)[0];
    for flag in [
        "--listen-client-urls=https://198.18.0.2:2379",
        "--initial-cluster=a=https://198.18.0.1:2380,",
        "--client-cert-auth=true",
        "--peer-client-cert-auth=true",
    ] {
        assert!(process.command.args.iter().any(|arg| arg.starts_with(flag)), "{flag}");
    }
    assert!(process.private["{private}/server.key"].reveal().contains("PRIVATE KEY"));
    assert!(!format!("{process:?}").contains("BEGIN"));
    let refused = make(serde_json::json!({"user": "fleet"})).check();
    assert_eq!(refused[0].key, "secured.user");
}
