//! The fork server. The harness has many threads and must not fork; this child of it, forked while there was only one, makes the
//! stub inits of nodes on demand.

use std::{
    fmt, io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use rustix::{
    process::{WaitOptions, waitpid},
    thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space},
};
use serde::{Deserialize, Serialize};

use crate::{
    sandbox::{Bound, SandboxError, Step},
    stub::{self, Report},
    sys::{self, Side},
    wire,
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
struct Birth {
    hostname: String,
}

/// Forks the server off. The caller must have one thread.
pub(crate) fn start() -> io::Result<Inside> {
    let (ours, theirs) = wire::pair()?;
    if Bound::fork()?.map(std::mem::forget).is_none() {
        drop(ours);
        let served = serve(&theirs);
        sys::leave(i32::from(served.is_err()));
    }
    Ok(Inside { server: Arc::new(ours) })
}

impl Inside {
    /// Makes a stub init in this network namespace and new pid, mount, ipc and uts namespaces. Its first report is
    /// [`Report::Born`] or [`Report::Refused`].
    pub(crate) fn bear(&self, hostname: &str, network: BorrowedFd<'_>) -> io::Result<OwnedFd> {
        let (ours, theirs) = wire::pair()?;
        wire::send(
            &*self.server,
            &Birth { hostname: hostname.into() },
            &[theirs.as_fd(), network],
        )?;
        Ok(ours)
    }
}

fn serve(orders: &OwnedFd) -> io::Result<()> {
    rustix::thread::set_name(c"wetdress-forks")?;
    while let Some((birth, descriptors)) = wire::receive::<Birth>(orders)? {
        let Ok([control, network]) = <[OwnedFd; 2]>::try_from(descriptors) else { continue };
        match sys::fork()? {
            Side::Child => deliver(&birth, control, &network),
            Side::Parent(midwife) => {
                waitpid(Some(midwife), WaitOptions::empty())?;
            }
        }
    }
    Ok(())
}

/// Only a child enters a new pid namespace, so this process makes the namespaces, forks the stub and goes. Pid 1 of the lab
/// inherits the stub.
fn deliver(birth: &Birth, control: OwnedFd, network: &OwnedFd) -> ! {
    match make_namespaces(birth, network) {
        Ok(Side::Child) => stub::live(&control),
        Ok(Side::Parent(_)) => {}
        Err(refused) => stub::tell(&control, &Report::refused(&refused)),
    }
    sys::leave(0)
}

fn make_namespaces(birth: &Birth, network: &OwnedFd) -> Result<Side, SandboxError> {
    move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))
        .step("enter the node's network namespace")?;
    let namespaces =
        UnshareFlags::NEWPID | UnshareFlags::NEWNS | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    sys::unshare(namespaces).step("make the node's namespaces")?;
    rustix::system::sethostname(birth.hostname.as_bytes()).step("set the node's host name")?;
    sys::fork().step("fork the node's init")
}
