//! Packets around the effect of a fault, as files of the run folder.

use std::time::Duration;

use document::units::Time;
use libtest_mimic::Failed;
use model::{Conditions, CutForm, LabEvent, Lever, Ports};
use seams::{Lab, Origin};
use wetdress_local::{EngineWish, Inside, Local, Packets};

use crate::rig::{PORT, Rig, block_on, both, node, topology};

/// Cuts a from b, sees it bite, and closes long before the file is due: what is pending is written then. Names and contents.
async fn files(inside: Inside, engine: EngineWish, keep: Duration) -> Vec<(String, Vec<u8>)> {
    let params = Local {
        engine,
        packets: Packets { keep: Time(keep), ..Packets::default() },
        ..Local::default()
    };
    let mut rig = Rig::open_as(inside, params, topology(), None, Conditions::default())
        .await
        .expect("the lab opens");
    let mut talk = rig.connect(&Origin::node(&"a".into()), "b", PORT).await;
    let mut world = Conditions::default();
    both(&node("a"), &node("b"))
        .into_iter()
        .for_each(|link| world.cut(link, Ports::All, CutForm::Drop));
    rig.turn(world).await;
    talk.say("nobody hears this").await;
    rig.until("the proof", |sight| matches!(sight, LabEvent::Hit { lever: Lever::Cut, .. })).await;
    rig.lab.close().await;
    let Ok(entries) = std::fs::read_dir(rig.folder.path().join("packets")) else {
        return Vec::new();
    };
    let entries = entries.map(|entry| entry.expect("readable"));
    entries
        .map(|entry| {
            (
                entry.file_name().to_string_lossy().into_owned(),
                std::fs::read(entry.path()).expect("readable"),
            )
        })
        .collect()
}

pub(crate) fn the_effect_of_a_cut_is_on_file(
    inside: Inside,
    engine: EngineWish,
) -> Result<(), Failed> {
    let files = block_on(files(inside, engine, Duration::from_secs(3600)));
    let [(name, file)] = &files[..] else {
        panic!("one effect, one file: {:?}", files.iter().map(|(name, _)| name).collect::<Vec<_>>())
    };
    // Either way may have been hit first.
    assert!(["2-cut-a-b.pcapng", "2-cut-b-a.pcapng"].contains(&name.as_str()), "{name}");
    let holds = |what: &[u8]| file.windows(what.len()).any(|window| window == what);
    assert!(
        holds(b"a -> b") && holds(b"198.18.0.1 in region-a -> 198.18.0.2 in region-b"),
        "a name and a description"
    );
    assert!(holds(b"\x01\0\x03\0cut\0"), "a packet with the comment `cut`");
    Ok(())
}

pub(crate) fn without_a_wish_no_packets_are_written(
    inside: Inside,
    engine: EngineWish,
) -> Result<(), Failed> {
    assert_eq!(block_on(files(inside, engine, Duration::ZERO)), []);
    Ok(())
}
