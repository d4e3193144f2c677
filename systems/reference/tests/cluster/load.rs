//! What a cluster can carry and what it costs when idle. On demand and in release only (`cargo test --release -p wetdress-reference
//! --test cluster -- --ignored`): a debug build on a busy machine proves nothing.

use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    cluster::{Cluster, NAMES, identity, post},
    trial,
};

const CONNECTIONS: u32 = 96;
const READINGS_EACH: u64 = 200;
/// The timers of the service's own defaults.
const DEFAULTS: &[&str] = &["--heartbeat-ms=300", "--election-ms=800"];

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("three_nodes_carry_two_thousand_readings_a_second", throughput)
            .with_ignored_flag(true),
        trial("three_idle_nodes_need_less_than_a_tenth_of_a_core", idle).with_ignored_flag(true),
    ]
}

#[expect(clippy::print_stderr, reason = "the figure is what this test is run for")]
async fn throughput() {
    let cluster = Cluster::start(json!({}), DEFAULTS).await;
    let mut clients = JoinSet::new();
    let began = Instant::now();
    for asset in 0..CONNECTIONS {
        let mut client = cluster.connect(NAMES[asset as usize % 3]).await.expect("it is ready");
        clients.spawn(async move {
            for seq in 0..READINGS_EACH {
                let (code, body) =
                    post(&mut client, identity(asset, seq), 1).await.expect("an answer");
                assert_eq!(code, 200, "{body}");
            }
        });
    }
    while let Some(done) = clients.join_next().await {
        done.expect("no client fails");
    }
    let rate = f64::from(CONNECTIONS) * READINGS_EACH as f64 / began.elapsed().as_secs_f64();
    eprintln!("{rate:.0} readings/s; CPU of the nodes {:?} s", cluster.cpu_seconds());
    assert!(rate >= 2_000.0, "{rate:.0} readings/s");
}

#[expect(clippy::print_stderr, reason = "the figure is what this test is run for")]
async fn idle() {
    let cluster = Cluster::start(json!({}), DEFAULTS).await;
    let span = Duration::from_secs(10);
    let before: f64 = cluster.cpu_seconds().iter().sum();
    sleep(span).await;
    let share = (cluster.cpu_seconds().iter().sum::<f64>() - before) / span.as_secs_f64();
    eprintln!("three idle nodes: {:.1} % of a core", share * 100.0);
    assert!(share < 0.1, "{share}");
}
