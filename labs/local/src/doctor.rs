//! What this machine allows. Every way is *tried*, in a child and with the code that a run uses; nothing is concluded from a
//! version or a name. Data out: whoever asked prints it.

use std::{
    io::{self, Read, Write},
    sync::Arc,
};

use fabric::{Engine, Fabric};
use serde::{Deserialize, Serialize};

use crate::{
    Inside,
    attachment::{Addresses, Attacher},
    files,
    init::{Order, Report},
    machine::Machine,
    remedy::{self, Host},
    sandbox::{self, Outcome},
};

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Such as `sandbox`.
    pub what: String,
    pub state: State,
    /// What was seen.
    pub found: String,
    /// What to type, where something is to be mended.
    pub remedy: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Works,
    /// The lab runs, slower or smaller.
    Degraded,
    /// The lab cannot run.
    Missing,
}

/// Of a small drill.
const FEW_ASSETS: u64 = 1_000;
/// What there should be at the least.
const FEW_FILES: u64 = 4096;

/// Tries everything. To be called from `main`, before any thread exists. Takes some tens of milliseconds.
pub fn doctor() -> Vec<Finding> {
    let host = Host::read();
    let mut findings = match try_inside() {
        Ok(inside) => inside,
        Err((step, error)) => {
            let remedy = Some(remedy::of_step(&step, &error, &host));
            vec![Finding {
                what: "sandbox".into(),
                state: State::Missing,
                found: format!("failed to {step}: {error}"),
                remedy,
            }]
        }
    };
    findings.push(open_files(files::limit()));
    findings
}

/// Enters a sandbox and brings back what was found there.
fn try_inside() -> Result<Vec<Finding>, (String, io::Error)> {
    let (mut hear, mut tell) = io::pipe().map_err(|error| ("open a pipe".into(), error))?;
    let entered = sandbox::enter(move |inside| {
        let findings = serde_json::to_vec(&look_around(&inside)).expect("findings are plain data");
        u8::from(tell.write_all(&findings).is_err())
    });
    let outcome = entered.map_err(|refused| (refused.step, refused.source))?;
    let mut told = Vec::new();
    hear.read_to_end(&mut told).map_err(|error| ("hear from the sandbox".into(), error))?;
    match (outcome, serde_json::from_slice(&told)) {
        (Outcome::Exited(0), Ok(findings)) => Ok(findings),
        (outcome, _) => Err((
            "keep a sandbox alive".into(),
            io::Error::other(format!("it ended with {outcome:?}")),
        )),
    }
}

fn look_around(inside: &Inside) -> Vec<Finding> {
    let works = |what: &str, found: &str| Finding {
        what: what.into(),
        state: State::Works,
        found: found.into(),
        remedy: None,
    };
    let mut findings = vec![works(
        "sandbox",
        "user, mount, pid, network, ipc and uts namespaces, with a /proc of their own",
    )];
    let tun = try_a_node(inside, Engine::Tun);
    let af_packet = try_a_node(inside, Engine::AfPacket);
    let other_works = [af_packet.is_ok(), tun.is_ok()];
    let tried =
        [("tun", tun, "nodes over TUN"), ("af_packet", af_packet, "nodes over veth and AF_PACKET")];
    for ((what, tried, found), other) in tried.into_iter().zip(other_works) {
        findings.push(match tried {
            Ok(()) => works(what, found),
            Err(error) => Finding {
                what: what.into(),
                state: if other { State::Degraded } else { State::Missing },
                found: format!("failed to make {found}: {error}"),
                remedy: Some(if what == "tun" {
                    remedy::of_tun(&error)
                } else {
                    remedy::of_af_packet(&error)
                }),
            },
        });
    }
    findings
}

/// One node and its device, made, signalled and thrown away.
fn try_a_node(inside: &Inside, engine: Engine) -> io::Result<()> {
    // Forks of later nodes are made by the fork server, so threads may exist by now.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(probe(inside, engine))
}

pub(crate) async fn probe(inside: &Inside, engine: Engine) -> io::Result<()> {
    let fabric =
        Arc::new(Fabric::start(engine, 0, fabric::Options::default()).map_err(io::Error::other)?);
    let attacher = Attacher::new(fabric, None)?;
    let addresses = Addresses { first: std::net::Ipv4Addr::new(198, 18, 255, 254), prefix: 32 };
    let place = attacher.place("probe", fabric::PortId(0), addresses)?;
    let mut machine = Machine::boot(inside, "probe", place).await?;
    machine.order(&Order::Signal(libc::SIGSTOP))?;
    match machine.report().await? {
        Report::Signalled { .. } => {}
        other => return Err(io::Error::other(format!("the node's init answered {other:?}"))),
    }
    let place = machine.destroy().await?;
    attacher.discard(place)
}

/// The rule by which a run is let in.
fn open_files(limit: u64) -> Finding {
    let assets = files::assets_within(limit);
    let enough = assets >= FEW_ASSETS;
    Finding {
        what: "open files".into(),
        state: if enough { State::Works } else { State::Degraded },
        found: format!("up to {limit} per process: room for about {assets} assets"),
        remedy: (!enough).then(|| files::remedy(FEW_FILES)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_limit_is_degraded_and_has_a_remedy() {
        let (low, high) = (open_files(256), open_files(20_000));
        assert_eq!((low.state, high.state, &high.remedy), (State::Degraded, State::Works, &None));
        assert!(low.found.starts_with("up to 256 per process"), "{}", low.found);
        assert!(low.remedy.is_some_and(|remedy| remedy.contains("--nofile=4096:4096")));
    }
}
