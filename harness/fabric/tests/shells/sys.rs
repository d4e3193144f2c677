//! The system calls of these tests that have no safe wrapper.
#![allow(unsafe_code, reason = "unshare, and receive stamps in control messages")]

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Moves the process, which must have one thread, into a user and network namespace of its own.
pub(crate) fn enter_namespaces() -> io::Result<()> {
    let (user, group) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    // SAFETY: the process has one thread, and no file descriptor table is unshared.
    unsafe { unshare_unsafe(UnshareFlags::NEWUSER | UnshareFlags::NEWNET) }?;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("1000 {user} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("1000 {group} 1"))
}

/// Moves the calling thread into a new network namespace.
pub(crate) fn new_network() -> io::Result<()> {
    // SAFETY: only the network namespace is unshared, which concerns no memory and no descriptor.
    Ok(unsafe { unshare_unsafe(UnshareFlags::NEWNET) }?)
}

/// A packet socket that sees every IPv4 packet which *arrives* in this namespace, with its stamp.
pub(crate) fn capture_socket() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    let protocol = (libc::ETH_P_IP as u16).to_be();
    // SAFETY: no pointers.
    let fd = unsafe { libc::socket(libc::AF_PACKET, kind, libc::c_int::from(protocol)) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `fd` was just opened and nobody else owns it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    set(&fd, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1)?;
    set(&fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
    // As much as the host allows: a starved test must not lose what it captured.
    set(&fd, libc::SOL_SOCKET, libc::SO_RCVBUF, 16 << 20)?;
    Ok(fd)
}

fn set(fd: &OwnedFd, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the value is one int that lives across the call.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as u32,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The next captured packet: its first bytes, and when the kernel received it (CLOCK_REALTIME, ns).
pub(crate) fn receive_stamped(fd: &OwnedFd, bytes: &mut [u8]) -> io::Result<(usize, u64)> {
    let mut control = [0u64; 16];
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    // SAFETY: `msghdr` is plain data; all zeroes is a valid value.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control);
    // SAFETY: the header points to buffers of the stated sizes that live across the call.
    let length = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, 0) };
    if length < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has filled `message`, whose control buffer is still alive.
    let first = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    if first.is_null() {
        return Err(io::Error::other("a captured packet has no stamp"));
    }
    // SAFETY: the only control message asked for is SCM_TIMESTAMPNS, whose data is one timespec.
    let stamp: libc::timespec =
        unsafe { libc::CMSG_DATA(first).cast::<libc::timespec>().read_unaligned() };
    Ok((length as usize, stamp.tv_sec as u64 * 1_000_000_000 + stamp.tv_nsec as u64))
}
