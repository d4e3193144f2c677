//! What a drill is about before anything goes wrong: regions, services, fleets, observers, phases.

use serde_json::{Map, Value, json};

use crate::random::Random;

/// Bounds of a drill.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Readings that fleets may make together, about.
    pub(crate) readings: u64,
}

/// Everything but faults and gates, which are empty lists.
pub(crate) fn scenario(seed: u64, size: Size, random: &mut Random) -> Value {
    let names = ["west", "east", "north", "south"];
    let regions: Vec<&str> = names[..random.between(2, 4) as usize].to_vec();
    let services = services(&regions, random);
    let phases = phases(random);
    let seconds = phases.iter().map(|(_, seconds)| seconds).sum::<u64>();
    let mut scenario = json!({
        "scenario": format!("drawn-{seed}"),
        "seed": random.between(0, 1 << 32),
        "stack": {"lab": "pretend", "links": links(&regions, random), "services": services},
        "phases": phases.iter().map(|(phase, _)| phase).collect::<Vec<_>>(),
        "faults": [], "gates": [],
    });
    scenario["stack"]["regions"] =
        regions.iter().map(|name| ((*name).to_owned(), json!({}))).collect::<Map<_, _>>().into();
    scenario["traffic"] = traffic(&regions, &services, seconds, size, random);
    if random.percent(60) {
        scenario["observers"] = observers(&regions, &services, &scenario["traffic"], random);
    }
    scenario
}

fn links(regions: &[&str], random: &mut Random) -> Value {
    let mut links = Map::new();
    for (place, one) in regions.iter().enumerate() {
        for other in &regions[place + 1..] {
            let mut way = json!({"delay": format!("{}ms", random.between(1, 60))});
            if random.percent(40) {
                way["jitter"] = format!("{}ms", random.between(1, 5)).into();
            }
            if random.percent(15) {
                way["loss"] = format!("0.{}%", random.between(1, 9)).into();
            }
            links.insert(format!("{one} ~ {other}"), way);
        }
    }
    links.into()
}

fn services(regions: &[&str], random: &mut Random) -> Value {
    let names = ["store", "ledger"];
    let count = if random.percent(40) { 2 } else { 1 };
    let mut services = Map::new();
    for name in &names[..count] {
        let mut service = json!({"kind": "pretend", "shards": random.between(1, 6)});
        if random.percent(70) {
            let homes = random.some(regions, 2);
            let nodes = homes.into_iter().map(|region| (region.to_owned(), random.between(1, 3)));
            service["nodes"] =
                nodes.map(|(region, count)| (region, count.into())).collect::<Map<_, _>>().into();
        }
        if random.percent(50) {
            service["election_timeout"] = format!("{}ms", random.between(300, 2500)).into();
        }
        services.insert((*name).to_owned(), service);
    }
    services.into()
}

/// The phases, and how long each of them generates.
fn phases(random: &mut Random) -> Vec<(Value, u64)> {
    let mut phases = vec![];
    let mut phase = |name: String, seconds: u64| {
        phases.push((json!({"name": name, "for": format!("{seconds}s")}), seconds));
    };
    let long = random.percent(25);
    phase("baseline".into(), if long { random.between(60, 76) } else { random.between(10, 40) });
    let windows = if long { 1 } else { random.between(1, 3) };
    for number in 1..=windows {
        phase(format!("fault-{number}"), random.between(4, 25));
        if random.percent(80) {
            phase(format!("calm-{number}"), random.between(5, 20));
        }
    }
    if random.percent(60) {
        let seconds = random.between(2, 6);
        let warmup = json!({"name": "warmup", "for": format!("{seconds}s"), "measure": false});
        phases.insert(0, (warmup, seconds));
    }
    let latest = format!("{}s", random.between(5, 40));
    phases.push((json!({"name": "verify", "until": "quiesced", "max": latest}), 0));
    phases
}

fn traffic(
    regions: &[&str],
    services: &Value,
    seconds: u64,
    size: Size,
    random: &mut Random,
) -> Value {
    let count = random.between(1, 3);
    let mut fleets = Map::new();
    for name in &["trucks", "meters", "ships"][..count as usize] {
        let budget = size.readings / count;
        fleets.insert((*name).to_owned(), fleet(regions, services, seconds, budget, random));
    }
    let mut traffic = json!({"fleets": fleets});
    if random.percent(40) {
        traffic["deadline"] = format!("{}ms", 100 * random.between(5, 25)).into();
    }
    if random.percent(40) {
        let every = format!("{}ms", 50 * random.between(10, 40));
        traffic["probe"] = json!({"every": every, "of": service_of(services, random)});
    }
    traffic
}

fn service_of(services: &Value, random: &mut Random) -> String {
    let names: Vec<&String> = services.as_object().into_iter().flat_map(Map::keys).collect();
    random.of(&names).map(ToString::to_string).expect("there is a service")
}

/// The regions in which a service has nodes.
fn regions_of<'a>(service: &Value, regions: &[&'a str]) -> Vec<&'a str> {
    let has = |region: &&str| service.get("nodes").is_none_or(|nodes| nodes.get(*region).is_some());
    regions.iter().copied().filter(has).collect()
}

fn fleet(
    regions: &[&str],
    services: &Value,
    seconds: u64,
    budget: u64,
    random: &mut Random,
) -> Value {
    let service = service_of(services, random);
    let served = regions_of(&services[&service], regions);
    let streams = random.between(1, 2);
    let mut load = 0;
    let mut drawn = Map::new();
    for name in &["status", "trace"][..streams as usize] {
        let (every, stream) = stream(random);
        load += 1000 * seconds / every;
        drawn.insert((*name).to_owned(), stream);
    }
    let assets = (budget / load.max(1)).clamp(3, 60);
    let mut fleet = json!({
        "driver": {"kind": "pretend", "service": service},
        "assets": random.between(3, assets),
        "streams": drawn,
        "connection": connection(random),
    });
    if random.percent(60) {
        fleet["home"] = home(&served, random);
    }
    if random.percent(40) {
        fleet["failover"] = failover(&served, random);
    }
    if random.percent(50) {
        let (after, jitter) = (random.between(1, 60), random.between(0, 10));
        fleet["failback"] = json!({"after": format!("{after}s"), "jitter": format!("{jitter}s")});
    }
    if random.percent(40) {
        fleet["access"] = access(seconds, random);
    }
    if random.percent(35) {
        fleet["recorder"] = recorder(random);
    }
    fleet
}

/// Its period in milliseconds, and the stream.
fn stream(random: &mut Random) -> (u64, Value) {
    let every = *random.of(&[200, 500, 1000, 1000, 2000, 3500, 10_000]).expect("a period");
    let mut stream = json!({"every": format!("{every}ms"), "payload": "128B"});
    if random.percent(25) {
        stream["phase"] = "aligned".into();
    }
    if random.percent(25) {
        stream["jitter"] = format!("{}ms", random.between(1, every / 4)).into();
    }
    if random.percent(25) {
        stream["ack"] = random.word(&["required", "best_effort"]);
    }
    (every, stream)
}

fn connection(random: &mut Random) -> Value {
    let mut connection = json!({
        "connect_timeout": format!("{}ms", random.between(300, 2000)),
        "request_timeout": format!("{}ms", random.between(300, 2500)),
        "attempts": random.between(1, 3),
        "backoff": {
            "base": format!("{}ms", random.between(50, 800)),
            "max": format!("{}s", random.between(1, 5)),
            "jitter": random.word(&["none", "full", "equal"]),
        },
    });
    if random.percent(50) {
        connection["max_inflight"] = random.between(1, 16).into();
    }
    connection
}

/// Shares of a hundred over some of the regions.
fn home(served: &[&str], random: &mut Random) -> Value {
    let homes = random.some(served, 1);
    let mut left = 100;
    let mut shares = Map::new();
    for (place, region) in homes.iter().enumerate() {
        let others = (homes.len() - place - 1) as u64;
        let share = if others == 0 { left } else { random.between(1, left - others) };
        left -= share;
        shares.insert((*region).to_owned(), format!("{share}%").into());
    }
    shares.into()
}

/// Where assets go instead: everywhere, somewhere, nowhere.
fn failover(served: &[&str], random: &mut Random) -> Value {
    let of = |region: &&str| {
        let others: Vec<&str> = served.iter().copied().filter(|other| other != region).collect();
        ((*region).to_owned(), random.some(&others, 0).into())
    };
    served.iter().map(of).collect::<Map<_, _>>().into()
}

fn access(seconds: u64, random: &mut Random) -> Value {
    match random.between(0, 3) {
        0 => json!({"delay": format!("{}ms", random.between(1, 150))}),
        1 => json!({"profile": "leo_15s"}),
        _ => {
            let mut passes = vec![];
            let mut aos = random.between(0, 10);
            while aos < seconds + 20 {
                let los = aos + random.between(4, 30);
                passes.push(json!({"aos": format!("{aos}s"), "los": format!("{los}s")}));
                aos = los + random.between(2, 15);
            }
            json!({"delay": "5ms", "contact": passes})
        }
    }
}

fn recorder(random: &mut Random) -> Value {
    let mut recorder = json!({"capacity": format!("{}B", 200 * random.between(1, 20))});
    if random.percent(50) {
        recorder["on_full"] = random.word(&["drop_oldest", "drop_newest"]);
    }
    if random.percent(60) {
        recorder["replay"] = json!({
            "order": random.word(&["live_first", "oldest_first", "newest_first"]),
            "rate": format!("{}x", random.between(1, 8)),
            "mark": random.word(&["stored", "live"]),
        });
    }
    recorder
}

fn observers(regions: &[&str], services: &Value, traffic: &Value, random: &mut Random) -> Value {
    let sends = |service: &String| {
        let fleets = traffic["fleets"].as_object().into_iter().flat_map(Map::values);
        fleets.into_iter().any(|fleet| fleet["driver"]["service"] == **service)
    };
    let names: Vec<&String> =
        services.as_object().into_iter().flat_map(Map::keys).filter(|name| sends(name)).collect();
    let mut observers = vec![];
    for number in 0..random.between(1, 4) {
        let Some(service) = random.of(&names) else { continue };
        let served = regions_of(&services[service.as_str()], regions);
        let mut observer = json!({
            "name": format!("eye-{number}"), "kind": "pretend", "service": service,
            "region": random.word(&served),
            "shows": random.word(&["log", "log", "replica", "current_value"]),
        });
        if random.percent(40) {
            observer["poll"] = format!("{}ms", random.between(20, 900)).into();
        }
        observers.push(observer);
    }
    observers.into()
}
