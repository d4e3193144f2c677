//! Connections that were left without a word.

use std::{cell::RefCell, collections::VecDeque};

use seams::{Disconnect, SILENT_KEPT};
use tokio::{net::TcpStream, time::Instant};

/// Connections of a thread that were left without a word.
#[derive(Debug, Default)]
pub(crate) struct Silent(RefCell<VecDeque<(Instant, TcpStream)>>);

impl Silent {
    /// Gives a socket up.
    pub(crate) fn part(&self, stream: TcpStream, how: Disconnect) {
        match how {
            Disconnect::Close => {}
            // If the kernel refuses, the other side sees a close.
            Disconnect::Reset => drop(stream.set_zero_linger()),
            Disconnect::Silent => {
                let (now, mut kept) = (Instant::now(), self.0.borrow_mut());
                while kept.front().is_some_and(|(since, _)| now - *since > SILENT_KEPT) {
                    kept.pop_front();
                }
                kept.push_back((now, stream));
            }
        }
    }
}
