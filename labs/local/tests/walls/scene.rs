//! What goes on inside while the test outside watches. A scene says on its standard output where it stands, one word per line.

#![allow(clippy::print_stdout, reason = "words for the test outside")]

use std::{io::Write, process::ExitCode, sync::Arc, time::Duration};

use model::{Conditions, CutForm, NodeState, Ports};
use tokio::signal::unix::{SignalKind, signal};
use wetdress_local::{EngineWish, Inside, doctor::doctor, sandbox};

use crate::rig::{self, Rig, both, node};

/// First argument of this executable as a supervisor; the scene's name follows.
pub(crate) const WORD: &str = "scene";

/// Each lasts for ever, and is said when it has been reached.
pub(crate) const MOMENTS: [&str; 5] = ["entered", "opening", "open", "applying", "dark"];

/// Exit code of a supervisor whose harness was ended by a signal.
pub(crate) const SIGNALLED: u8 = 70;
pub(crate) const TORN: u8 = 71;

pub(crate) fn play(name: &str) -> ExitCode {
    let outcome = match name.strip_prefix("doctor ") {
        Some(lack) => sandbox::enter(|_| examine(lack)),
        None => sandbox::enter(|inside| rig::block_on(act(name, inside))),
    };
    match outcome {
        Ok(sandbox::Outcome::Exited(code)) => code.into(),
        Ok(sandbox::Outcome::Signalled(signal)) => {
            say(&format!("signal {signal}"));
            SIGNALLED.into()
        }
        Ok(sandbox::Outcome::Torn | sandbox::Outcome::Interrupted) => TORN.into(),
        Err(error) => panic!("failed to {error}: {}", error.source),
    }
}

/// A sandbox inside the sandbox, where something was taken away.
fn examine(lack: &str) -> u8 {
    let cover = |path: &str| {
        rustix::mount::mount("tmpfs", path, "tmpfs", rustix::mount::MountFlags::empty(), None)
            .expect("root of the namespace")
    };
    match lack {
        "nothing" => {}
        "tun" => cover("/dev/net"),
        "proc" => cover("/proc/tty"),
        "namespaces" => std::fs::write("/proc/sys/user/max_user_namespaces", "0")
            .expect("root of the namespace"),
        other => panic!("`{other}` cannot be taken away"),
    }
    for finding in doctor() {
        say(&serde_json::to_string(&finding).expect("findings are plain data"));
    }
    0
}

fn say(word: &str) {
    println!("{word}");
    std::io::stdout().flush().expect("the test listens");
}

async fn act(name: &str, inside: Inside) -> u8 {
    match name {
        "exit" => 7,
        "panic" => {
            // Its message would look like a failure of the test.
            std::panic::set_hook(Box::new(|_| {}));
            panic!("on purpose")
        }
        "signal" => {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::USR1)
                .expect("it may signal itself");
            std::future::pending().await
        }
        "polite" => {
            let mut asked = signal(SignalKind::terminate()).expect("a handler");
            say("ready");
            asked.recv().await;
            8
        }
        "stubborn" => {
            let mut asked = signal(SignalKind::terminate()).expect("a handler");
            say("ready");
            asked.recv().await;
            say("asked");
            std::future::pending().await
        }
        "furnished" => furnished(),
        moment => linger(moment, inside).await,
    }
}

fn furnished() -> u8 {
    let id = rustix::process::getuid().as_raw().to_string();
    assert_eq!(id, "1000");
    let known = std::fs::read_to_string("/etc/passwd").expect("a password file");
    assert!(known.lines().any(|line| line.split(':').nth(2) == Some(&id)), "{known}");
    assert_eq!(
        std::fs::read_to_string("/proc/1/comm").expect("a /proc of our own").trim(),
        "wetdress-init"
    );
    std::fs::write("/run/note", "ours").expect("a /run of our own");
    0
}

async fn linger(moment: &str, inside: Inside) -> u8 {
    match moment {
        "entered" => say("entered"),
        "opening" => {
            // Said while the nodes are being made.
            let opening = tokio::spawn(async move { Rig::open(inside, EngineWish::Auto).await });
            say("opening");
            let _rig = opening.await.expect("it opens unless it is killed");
            std::future::pending::<()>().await;
        }
        "open" => {
            let _rig = Rig::open(inside, EngineWish::Auto).await;
            say("open");
            std::future::pending::<()>().await;
        }
        "dark" => {
            let mut rig = Rig::open(inside, EngineWish::Auto).await;
            rig.node_state("b", NodeState::PowerLost).await;
            say("dark");
            std::future::pending::<()>().await;
        }
        "applying" => {
            let mut rig = Rig::open(inside, EngineWish::Auto).await;
            say("applying");
            apply_for_ever(&mut rig).await;
        }
        other => panic!("no scene is called `{other}`"),
    }
    std::future::pending().await
}

async fn apply_for_ever(rig: &mut Rig) {
    let states = [
        NodeState::Crashed,
        NodeState::Stopped,
        NodeState::PowerLost,
        NodeState::Frozen,
        NodeState::Up,
    ];
    let mut next = tokio::time::interval(Duration::from_millis(3));
    for state in states.into_iter().cycle() {
        let mut world = Conditions::default();
        world.nodes.insert("b".into(), state.into());
        for link in both(&node("a"), &node("c")) {
            world.cut(link, Ports::All, CutForm::Drop);
        }
        rig.ask(world);
        rig.ask(Conditions::default());
        next.tick().await;
    }
    // Only to keep it alive until here.
    drop(Arc::clone(&rig.lab));
}
