//! The lab as a kind: its line of the catalog, and the way into its sandbox.

use seams::{
    Body, Ended, Entered, Kind, LabError, LabKind, LabSetup, MakeLab, Room, catalog::stored,
};
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
};

use crate::{
    Inside, Local, LocalLab, files,
    sandbox::{self, Outcome, SandboxError},
};

/// The line of this lab in a catalog.
pub const LAB: Kind<MakeLab> = Kind::new::<Local>(
    "local",
    "Real servers on this machine, each in namespaces of its own, joined by the userspace fabric; needs no root.",
    "{engine: auto}",
    &Sandboxed,
);

/// Threads of the harness's control plane; packets and traffic have threads of their own.
const THREADS: usize = 2;

struct Sandboxed;

impl LabKind for Sandboxed {
    fn has_room(&self, room: &Room) -> Result<(), LabError> {
        files::has_room(room, files::limit())
    }

    /// The harness runs in a child, in namespaces; the caller stays outside.
    fn enter(&self, setup: LabSetup, body: Body<'_>) -> Result<Ended, LabError> {
        match sandbox::enter(|inside| harness(inside, setup, body)).map_err(refused)? {
            Outcome::Exited(code) => Ok(Ended::Returned(code)),
            Outcome::Signalled(signal) => Ok(Ended::Signalled(signal)),
            Outcome::Interrupted => Ok(Ended::Interrupted),
            Outcome::Torn => Ok(Ended::Torn),
        }
    }
}

fn harness(inside: Inside, setup: LabSetup, body: Body<'_>) -> u8 {
    let many = Builder::new_multi_thread().worker_threads(THREADS).enable_all().build();
    let (runtime, refused) = match many {
        Ok(runtime) => (runtime, None),
        // The body is told all the same.
        Err(error) => (bare(), Some(LabError::Io(error))),
    };
    let returned = runtime.block_on(async {
        let entered = refused.map_or_else(|| make(inside, setup), Err);
        body(entered).await
    });
    // Threads that still wait for the kernel must not hold up the end; the namespaces end them.
    runtime.shutdown_background();
    returned
}

fn bare() -> Runtime {
    let runtime = Builder::new_current_thread().build();
    runtime.expect("a runtime without I/O needs nothing from the system")
}

fn make(inside: Inside, setup: LabSetup) -> Result<Entered, LabError> {
    let LabSetup { params, topology, seed, folder } = setup;
    let params = stored(&params).expect("the kind's own reader wrote them");
    let lab = LocalLab::new(inside, params, topology, folder, seed)?;
    Ok(Entered { lab: std::sync::Arc::new(lab), interrupt: Box::pin(asked_to_stop()) })
}

/// SIGTERM is the supervisor's request to stop in good order.
async fn asked_to_stop() {
    match signal(SignalKind::terminate()) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

fn refused(SandboxError { step, source }: SandboxError) -> LabError {
    LabError::Refused {
        what: format!("{step}: {source}"),
        remedy: "`wetdress doctor` says what this machine lacks".into(),
    }
}
