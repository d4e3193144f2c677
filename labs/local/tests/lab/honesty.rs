//! What the lab says of itself.

use std::fs;

use libtest_mimic::Failed;
use model::{Conditions, CutForm, NodeState, Ports, event::Health};
use seams::{Lab, LabError};
use wetdress_local::{EngineWish, Inside, Local};

use crate::rig::{self, Rig, block_on};

/// The stack loses every link and a machine meanwhile: no fault reaches it.
pub(crate) fn the_null_target_is_quiet_and_goes(
    inside: Inside,
    engine: EngineWish,
) -> Result<(), Failed> {
    block_on(async {
        rig::until("earlier labs to be gone", || threads("net null") == 0).await;
        let mut rig = Rig::open(inside, engine).await;
        assert_eq!((threads("null target"), threads("net null")), (1, 2));
        let mut world = Conditions::default();
        rig::topology().links().for_each(|link| world.cut(link, Ports::All, CutForm::Drop));
        world.nodes.insert("b".into(), NodeState::PowerLost.into());
        rig.turn(world).await;
        let started = rig.lab.health().null_count;
        let mut health = Health::default();
        rig::until("ten more echoes, and none missing", || {
            health = rig.lab.health();
            health.null_count >= started + 10 && health.null_lost == 0
        })
        .await;
        let figures = [1, health.null_p50_us, health.null_p99_us, health.null_max_us];
        assert!(figures.is_sorted(), "{health:?}");
        rig::until("durable writes beside the stack's", || {
            health = rig.lab.health();
            health.null_disk_count > 0
        })
        .await;
        let figures =
            [1, health.null_disk_p50_us, health.null_disk_p99_us, health.null_disk_max_us];
        assert!(figures.is_sorted(), "{health:?}");
        let shares = [health.steal, health.cpu_pressure];
        assert!(shares.iter().flatten().all(|share| (0.0..=1.0).contains(share)), "{health:?}");
        assert!(health.steal.is_some(), "every Linux counts it");
        rig.lab.close().await;
        rig::until("its thread and its namespaces to end", || {
            threads("null target") == 0 && threads("null disk") == 0 && threads("net null") == 0
        })
        .await;
        let ended = rig.lab.health();
        assert!(ended.null_count >= health.null_count, "its figures stay: {ended:?}");
        Ok(())
    })
}

pub(crate) fn congestion_control_is_chosen_and_told(
    inside: Inside,
    engine: EngineWish,
) -> Result<(), Failed> {
    block_on(async {
        let open = |name: &str| {
            let params = Local { engine, congestion: Some(name.into()), ..Local::default() };
            Rig::open_as(inside.clone(), params, rig::topology(), None, Conditions::default())
        };
        // Every kernel has it and lets everybody choose it.
        let rig = open("reno").await?;
        assert_eq!(rig.lab.health().congestion, "reno");
        rig.close().await;
        let Err(LabError::Refused { what, remedy }) = open("no-such").await else {
            return Err("it opened".into());
        };
        assert!(what.contains("`no-such`") && remedy.contains("reno"), "{what}; {remedy}");
        Ok(())
    })
}

/// Threads of ours whose name begins like this.
fn threads(name: &str) -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("a /proc").flatten();
    tasks
        .filter(|task| {
            fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.starts_with(name))
        })
        .count()
}
