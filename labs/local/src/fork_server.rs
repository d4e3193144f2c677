//! The fork server. The harness has many threads and must not fork; this child of it, forked while there was only one, makes the
//! stub inits of nodes on demand.

use std::{
    fmt, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use rustix::{
    process::{WaitOptions, waitpid},
    thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space},
};
use serde::{Deserialize, Serialize};

use crate::{
    init::{self, Report},
    ipc,
    sandbox::{ChildGuard, SandboxError, Step},
    sys::{self, Side},
};

/// Proof of being inside a sandbox, and the way to new nodes. Clones share one fork server.
#[derive(Clone)]
pub struct Inside {
    server: Arc<OwnedFd>,
}

impl fmt::Debug for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inside").finish_non_exhaustive()
    }
}

/// Asks for a stub init. Beside it: the stub's end of its control socket, and the node's network namespace.
#[derive(Serialize, Deserialize)]
struct SpawnInit {
    hostname: String,
}

/// Forks the server off. The caller must have one thread.
pub(crate) fn start() -> io::Result<Inside> {
    let (ours, theirs) = ipc::pair()?;
    if ChildGuard::fork()?.map(std::mem::forget).is_none() {
        drop(ours);
        // A panic must not unwind into the harness's code: this is another process.
        let served = catch_unwind(AssertUnwindSafe(|| serve(&theirs)));
        sys::leave(i32::from(!matches!(served, Ok(Ok(())))));
    }
    Ok(Inside { server: Arc::new(ours) })
}

impl Inside {
    /// Makes a stub init in this network namespace and new pid, mount, ipc and uts namespaces. Its first report is
    /// [`Report::Ready`] or [`Report::Refused`].
    pub(crate) fn spawn_init(
        &self,
        hostname: &str,
        network: BorrowedFd<'_>,
    ) -> io::Result<OwnedFd> {
        let (ours, theirs) = ipc::pair()?;
        ipc::send(
            &*self.server,
            &SpawnInit { hostname: hostname.into() },
            &[theirs.as_fd(), network],
        )?;
        Ok(ours)
    }
}

fn serve(orders: &OwnedFd) -> io::Result<()> {
    rustix::thread::set_name(c"wetdress-forks")?;
    while let Some((request, descriptors)) = ipc::receive::<SpawnInit>(orders)? {
        let Ok([control, network]) = <[OwnedFd; 2]>::try_from(descriptors) else { continue };
        match sys::fork()? {
            Side::Child => spawn_between(&request, control, &network),
            Side::Parent(intermediate) => {
                waitpid(Some(intermediate), WaitOptions::empty())?;
            }
        }
    }
    Ok(())
}

/// Only a child enters a new pid namespace, so this process makes the namespaces, forks the stub and goes. Pid 1 of the lab
/// inherits the stub.
fn spawn_between(request: &SpawnInit, control: OwnedFd, network: &OwnedFd) -> ! {
    match make_namespaces(request, network) {
        Ok(Side::Child) => init::run(&control),
        Ok(Side::Parent(_)) => {}
        Err(refused) => init::tell(&control, &Report::refused(&refused)),
    }
    sys::leave(0)
}

fn make_namespaces(request: &SpawnInit, network: &OwnedFd) -> Result<Side, SandboxError> {
    move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))
        .step("enter the node's network namespace")?;
    let namespaces =
        UnshareFlags::NEWPID | UnshareFlags::NEWNS | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    sys::unshare(namespaces).step("make the node's namespaces")?;
    rustix::system::sethostname(request.hostname.as_bytes()).step("set the node's host name")?;
    sys::fork().step("fork the node's init")
}
