//! What links suffer, seen by those who talk over them, and proven by the lab.

use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use model::{
    Chance, Conditions, CutForm, LabEvent, Lever, Link, NodeState, Ports, Stamped, event::HealedBy,
    event::Place,
};
use seams::{Lab, Origin};
use wetdress_local::{EngineWish, Inside};

use crate::rig::{OTHER_PORT, PORT, Rig, block_on, both, node};

fn cut(links: impl IntoIterator<Item = Link>, ports: &Ports, form: CutForm) -> Conditions {
    let mut world = Conditions::default();
    for link in links {
        world.cut(link, ports.clone(), form);
    }
    world
}

fn hits(sight: &LabEvent, wanted: Lever, from: &str, to: &str) -> bool {
    let link = Link::new(node(from), node(to));
    matches!(sight, LabEvent::Hit { lever, at: Place::Link(at), count, .. } if *lever == wanted && *at == link && *count > 0)
}

fn heals(sight: &LabEvent, from: &str, to: &str) -> bool {
    matches!(sight, LabEvent::Healed { link, .. } if *link == Link::new(node(from), node(to)))
}

pub(crate) fn delay_is_a_lower_bound(inside: Inside, engine: EngineWish) -> Result<(), Failed> {
    block_on(async {
        let mut rig = Rig::open(inside, engine).await;
        let mut talk = rig.connect(&Origin::node(&"a".into()), "b", PORT).await;
        let mut world = Conditions::default();
        for link in both(&node("a"), &node("b")) {
            world.quality_mut(link).delay = Duration::from_millis(40);
        }
        rig.turn(world).await;
        let asked = Instant::now();
        talk.ask("slowly").await;
        assert!(asked.elapsed() >= Duration::from_millis(80), "{:?}", asked.elapsed());
        rig.until("the proof", |sight| hits(sight, Lever::Delay, "a", "b")).await;
        rig.close().await;
        Ok(())
    })
}

pub(crate) fn a_cut_silences_both_ways(inside: Inside, engine: EngineWish) -> Result<(), Failed> {
    block_on(async {
        let mut rig = Rig::open(inside, engine).await;
        let mut cut_off = rig.connect(&Origin::node(&"a".into()), "b", PORT).await;
        let mut untouched = rig.connect(&Origin::node(&"a".into()), "c", PORT).await;
        let isolated = both(&node("a"), &node("b")).into_iter().chain(both(&node("b"), &node("c")));
        rig.turn(cut(isolated, &Ports::All, CutForm::Drop)).await;
        let canary = |sight: &LabEvent, arrives| matches!(sight, LabEvent::Canary { passed, .. } if *passed == arrives);
        rig.until("the canary to die", |sight| canary(sight, false)).await;
        cut_off.say("nobody hears this").await;
        let proof = rig.until("the proof", |sight| hits(sight, Lever::Cut, "a", "b")).await;
        let LabEvent::Hit { established, .. } = proof.what else { unreachable!("asked for a hit") };
        assert!(established > 0, "a segment of an established connection was hit");
        untouched.ask("others are spared").await;
        // A probe of a node is inside it and never crosses the fabric.
        rig.connect(&Origin::node(&"b".into()), "b", PORT).await.ask("to myself").await;
        assert!(cut_off.is_silent());
        assert!(!rig.log("b").contains("nobody hears this"));
        rig.turn(Conditions::default()).await;
        assert_eq!(cut_off.hear().await, "nobody hears this");
        let total = |seen: &&Stamped| hits(&seen.what, Lever::Cut, "a", "b");
        assert_eq!(
            rig.seen.iter().filter(total).count(),
            2,
            "told at the first hit, and in total when let go"
        );
        rig.until("the heal", |sight| heals(sight, "a", "b")).await;
        rig.close().await;
        Ok(())
    })
}

pub(crate) fn a_cut_may_be_one_way(inside: Inside, engine: EngineWish) -> Result<(), Failed> {
    block_on(async {
        let mut rig = Rig::open(inside, engine).await;
        let mut talk = rig.connect(&Origin::node(&"a".into()), "b", PORT).await;
        rig.turn(cut([Link::new(node("b"), node("a"))], &Ports::All, CutForm::Drop)).await;
        talk.say("there but not back").await;
        rig.wait_for_log("b", "heard there but not back").await;
        rig.until("the proof", |sight| hits(sight, Lever::Cut, "b", "a")).await;
        assert!(talk.is_silent());
        assert!(!rig.seen.iter().any(|seen| hits(&seen.what, Lever::Cut, "a", "b")));
        rig.close().await;
        Ok(())
    })
}

pub(crate) fn a_cut_may_name_ports(inside: Inside, engine: EngineWish) -> Result<(), Failed> {
    block_on(async {
        let mut rig = Rig::open(inside, engine).await;
        let mut cut_off = rig.connect(&Origin::node(&"a".into()), "b", OTHER_PORT).await;
        let mut untouched = rig.connect(&Origin::node(&"a".into()), "b", PORT).await;
        rig.turn(cut(
            both(&node("a"), &node("b")),
            &Ports::Only([OTHER_PORT].into()),
            CutForm::Drop,
        ))
        .await;
        cut_off.say("not here").await;
        rig.until("the proof", |sight| hits(sight, Lever::CutPorts, "a", "b")).await;
        untouched.ask("here").await;
        assert!(cut_off.is_silent());
        rig.close().await;
        Ok(())
    })
}

pub(crate) fn a_rejecting_cut_answers(inside: Inside, engine: EngineWish) -> Result<(), Failed> {
    block_on(async {
        let mut rig = Rig::open(inside, engine).await;
        rig.connect(&Origin::node(&"a".into()), "b", PORT).await.ask("before").await;
        rig.turn(cut(both(&node("a"), &node("b")), &Ports::All, CutForm::Reject)).await;
        let refused = rig
            .network
            .tcp(&Origin::node(&"a".into()), rig.network.address(&"b".into(), PORT))
            .await;
        assert_eq!(
            refused.map(drop).map_err(|error| error.kind()),
            Err(std::io::ErrorKind::ConnectionRefused)
        );
        rig.until("the proof", |sight| hits(sight, Lever::Reject, "a", "b")).await;
        rig.close().await;
        Ok(())
    })
}

/// Nobody talks between b and c here, and half of the canaries are lost as well.
pub(crate) fn a_heal_is_shown_where_nobody_talks(
    inside: Inside,
    engine: EngineWish,
) -> Result<(), Failed> {
    block_on(async {
        let mut rig = Rig::open(inside, engine).await;
        let unused = both(&node("b"), &node("c"));
        let lossy = |mut world: Conditions| {
            unused
                .iter()
                .for_each(|link| world.quality_mut(link.clone()).loss = vec![Chance(500_000)]);
            world
        };
        for ports in [Ports::All, Ports::Only([OTHER_PORT].into())] {
            let from = rig.seen.len();
            rig.turn(lossy(cut(unused.clone(), &ports, CutForm::Jam))).await;
            rig.until("the canary to die", |sight| {
                matches!(sight, LabEvent::Canary { passed: false, .. })
            })
            .await;
            assert!(
                !rig.seen[from..].iter().any(|seen| matches!(seen.what, LabEvent::Healed { .. })),
                "{:#?}",
                rig.seen
            );
            rig.turn(lossy(Conditions::default())).await;
            for link in &unused {
                let by_canary = LabEvent::Healed { link: link.clone(), by: HealedBy::Canary };
                if !rig.seen[from..].iter().any(|seen| seen.what == by_canary) {
                    rig.until("the heal", |sight| *sight == by_canary).await;
                }
            }
            let heals = rig.seen[from..]
                .iter()
                .filter(|seen| matches!(seen.what, LabEvent::Healed { .. }))
                .count();
            assert_eq!(heals, 2, "once per direction: {:#?}", rig.seen);
        }
        rig.close().await;
        Ok(())
    })
}

/// Its links were dark with it, and both ends are up again.
pub(crate) fn returned_power_heals_every_link(
    inside: Inside,
    engine: EngineWish,
) -> Result<(), Failed> {
    block_on(async {
        let mut rig = Rig::open(inside, engine).await;
        rig.node_state("b", NodeState::PowerLost).await;
        rig.turn(Conditions::default()).await;
        for (from, to) in [("a", "b"), ("b", "a"), ("b", "c"), ("c", "b")] {
            if !rig.seen.iter().any(|seen| heals(&seen.what, from, to)) {
                rig.until("the heal", |sight| heals(sight, from, to)).await;
            }
        }
        rig.close().await;
        Ok(())
    })
}

pub(crate) fn loss_switches_offload_off(inside: Inside, engine: EngineWish) -> Result<(), Failed> {
    block_on(async {
        let mut rig = Rig::open(inside, engine).await;
        let mut talk = rig.connect(&Origin::node(&"a".into()), "b", PORT).await;
        let mut world = Conditions::default();
        for link in both(&node("a"), &node("b")) {
            world.quality_mut(link).loss = vec![Chance(10_000)];
        }
        rig.turn(world).await;
        talk.ask(&"x".repeat(2 << 20)).await;
        rig.until("the proof", |sight| {
            hits(sight, Lever::Loss, "a", "b") || hits(sight, Lever::Loss, "b", "a")
        })
        .await;
        let health = rig.lab.health();
        assert!(health.notes.iter().all(|note| !note.contains("super-packets")), "{health:?}");
        rig.close().await;
        Ok(())
    })
}
