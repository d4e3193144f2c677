//! What a scenario may write for Kafka, and the files that come of it. Needs no Kafka.

use std::sync::Arc;

use document::{Ids, Problems, SourceId, parse};
use model::{NodeId, ServiceId, Topology, topology};
use seams::{
    Process, Service, Site,
    catalog::{Catalog, Kind},
};
use serde_json::Value;
use wetdress_kafka::SYSTEM;

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

/// Three brokers, and on another node of each of two regions a controller.
fn site() -> Site {
    let node = |service: &str, region: &str, last| topology::Node {
        region: region.into(),
        zone: None,
        services: [ServiceId::from(service)].into(),
        address: [198, 18, 0, last].into(),
    };
    let nodes = [
        ("a", node("log", "west", 1)),
        ("b", node("log", "east", 2)),
        ("c", node("log", "north", 3)),
        ("q1", node("quorum", "west", 4)),
        ("q2", node("quorum", "east", 5)),
    ];
    let nodes = nodes.map(|(name, node)| (NodeId::from(name), node));
    let topology = Topology { nodes: nodes.into(), ..Topology::default() };
    Site {
        service: "log".into(),
        topology: Arc::new(topology),
        run: 7,
        seed: 1,
        keyring: Default::default(),
    }
}

fn service(yaml: &str) -> Arc<dyn Service> {
    made("kafka", yaml, &site())
}

fn made(kind: &str, yaml: &str, site: &Site) -> Arc<dyn Service> {
    let kind = SYSTEM.services.find(kind).expect("it is there");
    let (params, problems) = read(kind, yaml);
    assert_eq!(problems, [], "{yaml}");
    (kind.make)(&params.expect("it is right"), site).expect("it can be made")
}

fn has(process: &Process, lines: &[&str]) {
    let properties = &process.files["{data}/server.properties"];
    for line in lines {
        assert!(properties.lines().any(|own| own == *line), "{line} is not in\n{properties}");
    }
}

#[test]
fn every_kind() {
    for (kind, params) in examples(&SYSTEM.services) {
        let service = (kind.make)(&params, &site()).expect("what was read can be made");
        let shards = if kind.name == "kafka" { 3 } else { 1 };
        assert_eq!((service.timers().len(), service.shards().len()), (7, shards));
    }
    for (kind, params) in examples(&SYSTEM.drivers) {
        let made = (kind.make)(&params, &site());
        if kind.name == "librdkafka" {
            // Every build knows what one may write of it; those without the library say how to get it.
            let said = made.map_or_else(|lacks| lacks.to_string(), |driver| driver.policy());
            assert!(said.contains("librdkafka"), "{said}");
            continue;
        }
        let policy = made.expect("what was read can be made").policy();
        assert!(policy.contains("No retry") && policy.contains("`acks: all`"), "{policy}");
    }
    for (kind, params) in examples(&SYSTEM.observers) {
        (kind.make)(&params, &site()).expect("what was read can be made");
    }
}

#[test]
fn what_an_ack_promises_is_in_the_policy() {
    let kind = SYSTEM.drivers.find("kafka").expect("it is there");
    for (yaml, promise) in [
        ("{}", "every replica in sync has the record"),
        ("{acks: all}", "every replica in sync has the record"),
        ("{acks: 1}", "the leader alone has the record, and may lose it"),
    ] {
        let (params, problems) = read(kind, yaml);
        assert_eq!(problems, [], "{yaml}");
        let driver = (kind.make)(&params.expect("it is right"), &site()).expect("it can be made");
        assert!(driver.policy().contains(promise), "{yaml}");
    }
    for yaml in ["{acks: 0}", "{acks: 2}", "{acks: leader}", "{acks: -1}"] {
        let (_, problems) = read(kind, yaml);
        let told = problems.len() == 1 && problems[0].message.contains("`all` or `1`");
        assert!(told, "{yaml}: {problems:?}");
    }
}

#[test]
fn what_could_never_serve_is_refused() {
    let kind = SYSTEM.services.find("kafka").expect("it is there");
    for (yaml, why) in [
        ("{topic: {replicas: 2, min_insync: 3}}", "`min_insync` is 3, and there are 2 replicas"),
        ("{topic: {partitions: 0}}", "at least `1`"),
        ("{topic: {name: my/topic}}", "no name of a topic"),
        ("{topic: {name: ..}}", "no name of a topic"),
        ("{version: latest}", "no version of Kafka"),
        ("{heap: 128MiB}", "at least `256MiB`"),
        ("{timers: slow}", "slow"),
    ] {
        let (params, problems) = read(kind, yaml);
        assert!(
            problems.len() == 1 && problems[0].message.contains(why),
            "{yaml}: {params:?} {problems:?}"
        );
    }
    let objections = service("{topic: {replicas: 4}}").check();
    assert_eq!(objections.len(), 1);
    assert_eq!(objections[0].key, "topic.replicas");
    assert_eq!(service("{topic: {replicas: 3}}").check(), []);
}

#[test]
fn a_node_is_told_of_all_nodes_and_formats_its_disk_once() {
    let process =
        service("{timers: quick, heap: 256MiB}").processes(&"b".into(), &*site().topology);
    let [process] = &process[..] else { panic!("one process: {process:?}") };
    has(
        process,
        &[
            "process.roles=broker,controller",
            "node.id=2",
            "controller.quorum.voters=1@198.18.0.1:9093,2@198.18.0.2:9093,3@198.18.0.3:9093",
            "listeners=PLAINTEXT://198.18.0.2:9092,CONTROLLER://198.18.0.2:9093",
            "advertised.listeners=PLAINTEXT://198.18.0.2:9092",
            "broker.rack=east",
            "min.insync.replicas=2",
            "broker.session.timeout.ms=3000",
        ],
    );
    let args = |command: &seams::Command| command.args.join(" ");
    let start = args(&process.command);
    assert!(start.contains("-Xmx256m") && start.contains("-cp {servers}/kafka-4.1.1/*"), "{start}");
    assert_eq!(process.steps.len(), 1);
    let format = args(&process.steps[0]);
    assert!(format.contains("format --cluster-id wtdrs0000000000000007A"), "{format}");
}

#[test]
fn controllers_of_their_own_vote_and_brokers_do_not() {
    let voters = "controller.quorum.voters=1001@198.18.0.4:9093,1002@198.18.0.5:9093";
    let brokers = service("{controllers: quorum, eligible_leader_replicas: false}");
    let [broker] = &brokers.processes(&"b".into(), &*site().topology)[..] else { panic!("one") };
    has(broker, &["process.roles=broker", "node.id=2", "listeners=PLAINTEXT://198.18.0.2:9092"]);
    has(broker, &[voters, "controller.listener.names=CONTROLLER"]);
    let format = broker.steps[0].args.join(" ");
    assert!(format.contains("--feature eligible.leader.replicas.version=0"), "{format}");
    assert_eq!(brokers.endpoints(), [("client", 9092)]);
    assert!(brokers.roles().iter().all(|role| role.name != "controller"));

    let site = Site { service: "quorum".into(), ..site() };
    let quorum = made("kafka-controllers", "{timers: quick}", &site);
    let [controller] = &quorum.processes(&"q2".into(), &*site.topology)[..] else { panic!("one") };
    has(controller, &["process.roles=controller", "node.id=1002", voters]);
    has(controller, &["listeners=CONTROLLER://198.18.0.5:9093", "broker.session.timeout.ms=3000"]);

    let placed = service("{controllers: quorum, topic: {first_leaders: on_controller}}").check();
    assert_eq!(placed.len(), 1);
    assert_eq!(placed[0].key, "topic.first_leaders");
}

#[test]
fn kafkas_own_timers_are_left_to_kafka() {
    let service = service("{}");
    let process = service.processes(&"a".into(), &*site().topology).remove(0);
    assert!(!process.files["{data}/server.properties"].contains("timeout"));
    let bounding: Vec<_> =
        service.timers().into_iter().filter(|timer| timer.bounds_failover).collect();
    assert_eq!(bounding.len(), 1);
    assert_eq!(bounding[0].name, "broker.session.timeout.ms");
    assert_eq!(bounding[0].value.as_secs(), 9);
}

#[test]
fn secrets_lie_in_private_files_only() {
    let (site, params) =
        (site(), serde_json::json!({"secured": {"tls": "mutual", "user": "fleet"}}));
    let kind = SYSTEM.services.find("kafka").expect("it is there");
    let service = (kind.make)(&params, &site).expect("the parameters are right");
    let secured = service.secured().expect("it says so");
    site.keyring.secure(&site.service, secured).expect("no secret is named");
    let login = site.keyring.login(&site.service).and_then(|login| login.password);
    let password = login.expect("one was made");
    let process = &service.processes(&"b".into(), &*site.topology)[0];
    for (file, line) in [
        ("{private}/server.properties", "listeners=SASL_SSL://198.18.0.2:9092,CONTROLLER://"),
        ("{private}/server.properties", "ssl.client.auth=required"),
        ("{private}/server.properties", "sasl.enabled.mechanisms=PLAIN,"),
        ("{private}/format.args", "\"SCRAM-SHA-512=[name=fleet,password="),
        ("{private}/server.pem", "PRIVATE KEY"),
    ] {
        let text = process.private[file].reveal();
        assert!(text.contains(line), "{line} is not in {file}");
    }
    let shown = format!("{process:?} {service:?}");
    assert!(!shown.contains(password.reveal()) && !shown.contains("BEGIN"), "{shown}");
}
