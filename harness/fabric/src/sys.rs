//! The few system calls that no safe crate wraps: TUN and ethtool ioctls, AF_PACKET options.
//! The only unsafe code of this crate; everything else goes through `rustix`.
#![allow(unsafe_code, reason = "ioctls and sockaddr_ll have no safe wrapper")]

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

mod ring;
pub(crate) use ring::{Ring, Size, Slot};

const TUN_F_USO4: libc::c_uint = 0x20;
const TUN_F_USO6: libc::c_uint = 0x40;
const ETHTOOL_STXCSUM: u32 = 0x17;
const ETHTOOL_STSO: u32 = 0x1f;
const ETHTOOL_SGSO: u32 = 0x24;

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn interface_request(name: &str) -> io::Result<libc::ifreq> {
    if name.is_empty() || name.len() >= libc::IFNAMSIZ {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("interface name `{name}` must have 1-15 bytes"),
        ));
    }
    // SAFETY: `ifreq` is plain data; all zeroes is a valid value.
    let mut request: libc::ifreq = unsafe { zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from.cast_signed() as libc::c_char;
    }
    Ok(request)
}

/// Makes `fd` (an open /dev/net/tun) the TUN device `name` of the calling thread's network namespace.
pub(crate) fn tun_attach(fd: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    let mut request = interface_request(name)?;
    request.ifr_ifru.ifru_flags =
        (libc::IFF_TUN | libc::IFF_NO_PI | libc::IFF_VNET_HDR) as libc::c_short;
    // SAFETY: TUNSETIFF reads and writes one `ifreq`, which lives across the call.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETIFF, &raw mut request) })
}

/// Offload on: TSO4, TSO6, checksums, and UDP segmentation where the kernel has it (6.2).
pub(crate) fn tun_offload(fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    let set = |bits: libc::c_uint| {
        // SAFETY: TUNSETOFFLOAD takes its argument by value.
        check(unsafe {
            libc::ioctl(fd.as_raw_fd(), libc::TUNSETOFFLOAD, libc::c_ulong::from(bits))
        })
    };
    if !on {
        return set(0);
    }
    let base = libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6;
    set(base | TUN_F_USO4 | TUN_F_USO6).or_else(|_| set(base))
}

/// A raw packet socket on interface `index` of the calling thread's network namespace: vnet headers
/// on, own packets not echoed, with a ring for the frames of one size.
pub(crate) fn packet_socket(index: u32, size: Size) -> io::Result<(OwnedFd, Ring)> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no pointers. Protocol 0 receives nothing until the bind below.
    let fd = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
    check(fd)?;
    // SAFETY: `fd` was just opened and nobody else owns it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    set_option(&fd, libc::SOL_PACKET, libc::PACKET_VNET_HDR, &1)?;
    set_option(&fd, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &1)?;
    // As much as the host allows: packets that were sent but not received yet wait here.
    const BUFFER_BYTES: libc::c_int = 16 << 20;
    set_option(&fd, libc::SOL_SOCKET, libc::SO_SNDBUF, &BUFFER_BYTES)?;
    let ring = Ring::new(&fd, size)?;
    only(&fd, size)?;
    // SAFETY: `sockaddr_ll` is plain data; all zeroes is a valid value.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = libc::c_int::try_from(index).map_err(io::Error::other)?;
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: `address` is a valid sockaddr_ll of `length` bytes.
    check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length) })?;
    Ok((fd, ring))
}

/// A classic BPF filter that lets the frames of one size pass.
fn only(fd: &OwnedFd, size: Size) -> io::Result<()> {
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let [short, long] = match size {
        Size::Short => [u32::MAX, 0],
        Size::Long => [0, u32::MAX],
    };
    let mut steps = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_LEN, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K, 1, 0, Size::SHORT_MAX),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, short),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, long),
    ];
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    set_option(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
}

/// `value` must be what the kernel expects of this option.
fn set_option<T: Copy>(
    fd: &OwnedFd,
    level: libc::c_int,
    name: libc::c_int,
    value: &T,
) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel reads `length` bytes of a value that lives across the call.
    check(unsafe {
        libc::setsockopt(fd.as_raw_fd(), level, name, std::ptr::from_ref(value).cast(), length)
    })
}

/// Packets dropped because the socket's buffer was full, since the last call (the kernel resets it).
pub(crate) fn packet_drops(fd: BorrowedFd<'_>) -> io::Result<u64> {
    // SAFETY: `tpacket_stats` is plain data; all zeroes is a valid value.
    let mut stats: libc::tpacket_stats = unsafe { zeroed() };
    let mut length = size_of::<libc::tpacket_stats>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes into `stats`.
    let result = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut stats).cast(),
            &raw mut length,
        )
    };
    check(result)?;
    Ok(u64::from(stats.tp_drops))
}

#[repr(C)]
struct EthtoolValue {
    cmd: u32,
    data: u32,
}

/// Sets TSO, GSO and transmit checksum offload of interface `name` through any socket of its namespace.
pub(crate) fn ethtool_offload(socket: BorrowedFd<'_>, name: &str, on: bool) -> io::Result<()> {
    // Checksums first when switching on: TSO depends on them. Switched off, they take TSO along.
    for cmd in [ETHTOOL_STXCSUM, ETHTOOL_SGSO, ETHTOOL_STSO] {
        let mut value = EthtoolValue { cmd, data: u32::from(on) };
        let mut request = interface_request(name)?;
        request.ifr_ifru.ifru_data = (&raw mut value).cast();
        // SAFETY: SIOCETHTOOL reads `request` and the `EthtoolValue` it points to; both live across the call.
        check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) })?;
    }
    Ok(())
}

/// Index of interface `name` in the calling thread's network namespace.
pub(crate) fn interface_index(name: &str) -> io::Result<u32> {
    let name = std::ffi::CString::new(name)?;
    // SAFETY: `name` is a valid C string.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}
