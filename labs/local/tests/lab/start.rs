//! The lab comes up, packets cross, and what cannot start is told.

use libtest_mimic::Failed;
use model::Conditions;
use seams::{Lab, LabError, Origin, Sight};
use wetdress_local::{EngineWish, Inside};

use crate::rig::{self, OTHER_PORT, PORT, Rig, block_on};

pub(crate) fn tcp_crosses(inside: Inside, engine: EngineWish) -> Result<(), Failed> {
    block_on(async {
        let rig = Rig::open(inside, engine).await;
        let mut between_nodes = rig.connect(&Origin::node(&"a".into()), "b", PORT).await;
        assert_eq!(between_nodes.me, "198.18.0.1");
        between_nodes.ask("hello").await;
        // Each asset has an address of its own.
        for host in [0, 5, 99] {
            let mut asset = rig.connect(&Origin::cell(&rig::cell_name(), host), "c", OTHER_PORT).await;
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
        let opened = Rig::open_with(inside, engine, rig::topology(), Some("/no/such/program"), Conditions::default()).await;
        let Err(LabError::Process { process, why, .. }) = opened else { return Err("it opened".into()) };
        assert_eq!(process, "echo");
        assert!(why.contains("No such file"), "{why}");
        Ok(())
    })
}

pub(crate) fn offers_everything(inside: Inside, engine: EngineWish) -> Result<(), Failed> {
    block_on(async {
        let mut rig = Rig::open(inside, engine).await;
        assert_eq!(rig.lab.offers().await.len(), 12);
        rig.until("three starts", |sight| matches!(sight, Sight::InForce { revision: 1 })).await;
        let starts = rig.seen.iter().filter(|seen| matches!(&seen.what, Sight::Started { process, .. } if process == "echo")).count();
        assert_eq!(starts, 3);
        rig.close().await;
        Ok(())
    })
}
