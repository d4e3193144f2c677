//! The lab comes up, packets cross, and what cannot start is told.

use libtest_mimic::Failed;
use model::{Conditions, LabEvent, Lever};
use seams::{Clock, Command, Lab, LabError, OpenLab, Origin, Process, Wanted};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use wetdress_local::{EngineWish, Inside};
use wetdress_local::{Local, LocalLab};

use crate::rig::{self, OTHER_PORT, PORT, Rig, block_on};

pub(crate) fn tcp_crosses(inside: Inside, engine: EngineWish) -> Result<(), Failed> {
    block_on(async {
        let rig = Rig::open(inside, engine).await;
        let mut between_nodes = rig.connect(&Origin::node(&"a".into()), "b", PORT).await;
        assert_eq!(between_nodes.me, "198.18.0.1");
        between_nodes.ask("hello").await;
        // Each asset has an address of its own.
        for host in [0, 5, 99] {
            let mut asset =
                rig.connect(&Origin::cell(&rig::cell_name(), host), "c", OTHER_PORT).await;
            assert_eq!(asset.me, format!("198.19.4.{host}"));
            asset.ask("from an asset").await;
        }
        assert!(rig.lab.health().packets > 0);
        // Several super-packets' worth, each way.
        between_nodes.ask(&"x".repeat(1 << 20)).await;
        assert!(rig.folder.path().join("nodes/a/prepared").exists(), "the step ran");
        let filled = std::fs::read_to_string(rig.folder.path().join("nodes/a/conf/where"))?;
        assert!(filled.ends_with("nodes/a"), "{filled}");
        rig.close().await;
        Ok(())
    })
}

pub(crate) fn a_missing_program_is_told(inside: Inside, engine: EngineWish) -> Result<(), Failed> {
    block_on(async {
        let opened = Rig::open_with(
            inside,
            engine,
            rig::topology(),
            Some("/no/such/program"),
            Conditions::default(),
        )
        .await;
        let Err(LabError::Process { process, why, .. }) = opened else {
            return Err("it opened".into());
        };
        assert_eq!(process, "echo");
        assert!(why.contains("No such file"), "{why}");
        Ok(())
    })
}

/// Disks and clocks are not within this lab's reach yet, and assets never are.
fn is_for_later(lever: Lever) -> bool {
    use Lever::{
        ClockOffset, ClockRate, Disconnect, DiskDelay, DiskError, DiskFull, DiskStall, Silence,
    };
    [DiskDelay, DiskError, DiskFull, DiskStall, ClockOffset, ClockRate, Disconnect, Silence]
        .contains(&lever)
}

pub(crate) fn offers_everything(inside: Inside, engine: EngineWish) -> Result<(), Failed> {
    block_on(async {
        let mut rig = Rig::open(inside, engine).await;
        let offered = |lever: &&Lever| !is_for_later(**lever);
        assert_eq!(rig.lab.offers().await, Lever::ALL.iter().filter(offered).copied().collect());
        rig.until("three starts", |sight| matches!(sight, LabEvent::InForce { revision: 1 })).await;
        let starts = rig
            .seen
            .iter()
            .filter(
                |seen| matches!(&seen.what, LabEvent::ProcessStarted { process, .. } if process == "echo"),
            )
            .count();
        assert_eq!(starts, 3);
        rig.close().await;
        Ok(())
    })
}

/// A step that never ends must not keep the lab from closing, nor outlive it.
pub(crate) fn closing_ends_an_opening(inside: Inside, engine: EngineWish) -> Result<(), Failed> {
    block_on(async {
        let folder = tempfile::tempdir()?;
        let home = std::fs::canonicalize(folder.path())?;
        let lab = LocalLab::new(
            inside,
            Local { engine, ..Local::default() },
            rig::topology().into(),
            home.clone(),
            7,
        )?;
        let endless =
            Command { program: "sleep".into(), args: vec!["1000".into()], ..Command::default() };
        let process = Process { name: "slow".into(), steps: vec![endless], ..Process::default() };
        let (_want, want) = watch::channel(Wanted::default());
        let (seen, _news) = mpsc::unbounded_channel();
        let processes = [("a".into(), vec![process])].into();
        let opening =
            lab.open(OpenLab { processes, want, seen, clock: Clock::new(Instant::now()) });
        let closing = async {
            rig::until("the step to run", || inhabitants(&home) > 0).await;
            lab.close().await;
        };
        let (opened, ()) = tokio::join!(opening, closing);
        assert!(opened.is_err());
        rig::until("the step to end", || inhabitants(&home) == 0).await;
        Ok(())
    })
}

/// How many processes work below this folder.
fn inhabitants(home: &std::path::Path) -> usize {
    let processes = std::fs::read_dir("/proc").expect("a /proc").flatten();
    processes
        .filter(|process| {
            std::fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(home))
        })
        .count()
}
