//! The few system calls that no safe crate wraps: fork, signal sets, waiting for signals, leaving without a farewell.
//! The only unsafe code of this crate; everything else goes through `rustix`.
#![allow(unsafe_code, reason = "fork, unshare and signal masks have no safe wrapper")]

use std::{
    ffi::c_int,
    io,
    mem::{MaybeUninit, size_of},
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    sync::Arc,
};

use rustix::{process::Pid, thread::UnshareFlags};
use tokio::io::{Interest, unix::AsyncFd};

/// Which side of a fork this is.
pub(crate) enum Side {
    Child,
    Parent(Pid),
}

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Splits this process in two. Only for a process with one thread: anything else is refused, since another thread's locks would
/// stay locked for ever in the child.
pub(crate) fn fork() -> io::Result<Side> {
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        return Err(io::Error::other(format!(
            "{threads} threads run already, and only a process with one may be forked"
        )));
    }
    // SAFETY: the process has a single thread, so that the child owns every lock and may go on as ordinary code.
    match check(unsafe { libc::fork() })? {
        0 => Ok(Side::Child),
        pid => {
            Ok(Side::Parent(Pid::from_raw(pid).expect("fork gives a positive id to the parent")))
        }
    }
}

/// Ends this process now: no destructors, no exit handlers that a fork has copied.
pub(crate) fn leave(code: i32) -> ! {
    // SAFETY: takes no pointers and does not return.
    unsafe { libc::_exit(code) }
}

/// Moves the calling thread into new namespaces. The file table stays shared.
pub(crate) fn unshare(namespaces: UnshareFlags) -> io::Result<()> {
    assert!(
        !namespaces.contains(UnshareFlags::FILES),
        "a thread with its own file table would break the promises of owned descriptors"
    );
    // SAFETY: namespaces only, see the assertion; no memory or descriptor is unshared.
    Ok(unsafe { rustix::thread::unshare_unsafe(namespaces) }?)
}

/// A set of signals.
#[derive(Clone, Copy)]
pub(crate) struct Signals(libc::sigset_t);

impl Signals {
    pub(crate) fn of(signals: &[c_int]) -> Self {
        let mut set = MaybeUninit::uninit();
        // SAFETY: `sigemptyset` initialises the set, and only then are members added.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for signal in signals {
                libc::sigaddset(set.as_mut_ptr(), *signal);
            }
            Self(set.assume_init())
        }
    }

    /// Makes these the blocked signals of the calling thread; returns those of before.
    pub(crate) fn set_mask(&self) -> io::Result<Self> {
        self.mask(libc::SIG_SETMASK)
    }

    /// Adds these to the blocked signals of the calling thread; returns those of before.
    pub(crate) fn block(&self) -> io::Result<Self> {
        self.mask(libc::SIG_BLOCK)
    }

    fn mask(&self, how: c_int) -> io::Result<Self> {
        let mut before = MaybeUninit::uninit();
        // SAFETY: both sets are valid for the call, which initialises `before` when it succeeds.
        match unsafe { libc::pthread_sigmask(how, &raw const self.0, before.as_mut_ptr()) } {
            // SAFETY: initialised by the call above.
            0 => Ok(Self(unsafe { before.assume_init() })),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }

    /// Waits for one of these, which must be blocked.
    pub(crate) fn wait(&self) -> io::Result<c_int> {
        loop {
            // SAFETY: the set is valid; no information beyond the number is asked for.
            match check(unsafe { libc::sigwaitinfo(&raw const self.0, std::ptr::null_mut()) }) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => return outcome,
            }
        }
    }

    /// A descriptor that becomes readable when one of these, which must be blocked, arrives.
    pub(crate) fn descriptor(&self) -> io::Result<OwnedFd> {
        // SAFETY: the set is valid; -1 asks for a new descriptor.
        let fd = check(unsafe {
            libc::signalfd(-1, &raw const self.0, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
        })?;
        // SAFETY: `fd` was just opened and nobody else owns it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

/// Lets the kernel choose the port of a bound socket at `connect`, so that each address has all its ports for each destination.
pub(crate) fn bind_address_no_port(socket: BorrowedFd<'_>) -> io::Result<()> {
    const IP_BIND_ADDRESS_NO_PORT: c_int = 24;
    let on: c_int = 1;
    let length = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: the option value is one int that lives across the call.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_IP,
            IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            length,
        )
    })?;
    Ok(())
}

/// Sends a signal to every process of this pid namespace but its pid 1, the caller. False when there is none.
pub(crate) fn signal_everyone(signal: c_int) -> io::Result<bool> {
    assert_eq!(std::process::id(), 1, "elsewhere this would reach strangers");
    // SAFETY: takes no pointers.
    match check(unsafe { libc::kill(-1, signal) }) {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What is not ambient is lost at an exec under a non-zero id.
pub(crate) fn clear_ambient_capabilities() -> io::Result<()> {
    let none: libc::c_ulong = 0;
    let all = libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong;
    // SAFETY: takes no pointers.
    check(unsafe { libc::prctl(libc::PR_CAP_AMBIENT, all, none, none, none) })?;
    Ok(())
}

/// Lets the runtime say when a descriptor becomes readable.
pub(crate) fn when_readable(descriptor: Arc<OwnedFd>) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    // SAFETY: the `AsyncFd` owns a share of the descriptor, which is open and the same for as long as it lives.
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?)
}
