//! What arrives inside a namespace, with the kernel's own stamps, and during which cut it did.

use std::io;
use std::os::fd::OwnedFd;

use rustix::time::{ClockId, clock_gettime};

use crate::net::wait_for;
use crate::sys;

const TCP: u8 = 6;
const UDP: u8 = 17;

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

/// Captures inside both machines, and everything they have seen since they were settled, a's and b's.
pub(crate) struct Watch {
    captures: [Capture; 2],
    pub(crate) arrivals: [Vec<Arrival>; 2],
}

impl Watch {
    pub(crate) fn new(captures: [Capture; 2]) -> Self {
        Self { captures, arrivals: Default::default() }
    }

    pub(crate) fn drain(&mut self) -> io::Result<()> {
        for (capture, arrivals) in self.captures.iter().zip(&mut self.arrivals) {
            arrivals.extend(capture.drain()?);
        }
        Ok(())
    }

    /// Waits until UDP and TCP that were stamped from `since_ns` on have arrived at both machines.
    pub(crate) fn wait_for_traffic(&mut self, since_ns: u64) -> io::Result<()> {
        let looked_at = self.arrivals.each_ref().map(Vec::len);
        wait_for("UDP and TCP to pass", || {
            self.drain()?;
            Ok(self.arrivals.iter().zip(looked_at).all(|(arrivals, looked_at)| {
                let passed = |protocol| {
                    arrivals[looked_at..]
                        .iter()
                        .any(|seen| seen.protocol == protocol && seen.at_ns >= since_ns)
                };
                passed(UDP) && passed(TCP)
            }))
        })
    }
}

/// A cut of everything, by the clock of the stamps. Arrivals are told apart by their stamps alone: when they were read says nothing,
/// because a starved kernel hands a packet to the captures some time after it has stamped it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shut {
    pub(crate) called_ns: u64,
    pub(crate) acknowledged_ns: u64,
    /// Just before the call that lifted it.
    pub(crate) reopened_ns: u64,
}

impl Shut {
    /// The number of the cut, of several in the order of time, that was called before this moment and not lifted yet.
    pub(crate) fn find(shuts: &[Self], at_ns: u64) -> Option<usize> {
        let last = shuts.partition_point(|shut| shut.called_ns <= at_ns).checked_sub(1)?;
        (at_ns < shuts[last].reopened_ns).then_some(last)
    }
}

/// CLOCK_REALTIME in nanoseconds, the clock of the stamps.
pub(crate) fn real_now_ns() -> u64 {
    let now = clock_gettime(ClockId::Realtime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
