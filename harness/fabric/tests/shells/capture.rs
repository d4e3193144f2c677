//! What arrives inside a namespace, with the kernel's own stamps.

use std::io;
use std::os::fd::OwnedFd;

use rustix::time::{ClockId, clock_gettime};

use crate::net::wait_for;
use crate::sys;

pub(crate) struct Capture {
    socket: OwnedFd,
}

/// A captured IPv4 packet: when it arrived (CLOCK_REALTIME, nanoseconds), and its protocol number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) at_ns: u64,
    pub(crate) protocol: u8,
}

impl Capture {
    /// In the calling thread's namespace.
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self { socket: sys::capture_socket()? })
    }

    /// Waits, under traffic, until the kernel stamps packets as they arrive, and returns how many arrived meanwhile. It begins to do so
    /// on a work queue some time after the first capture was opened; until then a packet gets the time at which it is *read*.
    pub(crate) fn settle(&self) -> io::Result<u64> {
        let mut arrived = 0;
        wait_for("the kernel to stamp what arrives", || {
            let reading_ns = real_now_ns();
            let fresh = self.drain()?;
            arrived += fresh.len() as u64;
            Ok(fresh.iter().any(|arrival| arrival.at_ns < reading_ns))
        })?;
        Ok(arrived)
    }

    /// Everything that has arrived since the last call.
    pub(crate) fn drain(&self) -> io::Result<Vec<Arrival>> {
        let mut arrivals = Vec::new();
        let mut bytes = [0; 64];
        loop {
            match sys::receive_stamped(&self.socket, &mut bytes) {
                Ok((_, at_ns)) => arrivals.push(Arrival { at_ns, protocol: bytes[9] }),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(arrivals),
                Err(error) => return Err(error),
            }
        }
    }
}

/// CLOCK_REALTIME in nanoseconds, the clock of the stamps.
pub(crate) fn real_now_ns() -> u64 {
    let now = clock_gettime(ClockId::Realtime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
