//! One connection that stands: at most one request under way.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use model::{Micros, NodeIndex, Outcome};
use seams::{Clock, Progress};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::response::{Fed, Head, Malformed, Response};
use crate::verdict::Verdict;

#[derive(Debug)]
pub(super) struct Line {
    pub(super) stream: TcpStream,
    pub(super) node: NodeIndex,
    flight: Option<Flight>,
}

/// The request under way.
#[derive(Debug)]
struct Flight {
    ticket: u32,
    /// Whether a byte of it has left.
    began: bool,
    /// What the socket did not take yet, which takes no memory as a rule.
    unwritten: Vec<u8>,
    response: Response,
}

/// How a look at a connection ended.
#[derive(Debug)]
pub(super) enum Looked {
    /// Nothing more for now.
    Waits,
    /// The connection is of no more use; why. What was under way has been answered.
    Ended(&'static str),
}

/// What a line needs of its lane.
#[derive(Debug)]
pub(super) struct Hands<'a> {
    pub(super) clock: &'a Clock,
    pub(super) verdict: &'a Verdict,
    pub(super) scratch: &'a mut [u8],
    pub(super) out: &'a mut Vec<Progress>,
    /// The error that ended the connection, for who counts those of this machine.
    pub(super) error: Option<io::Error>,
}

const CLOSED: &str = "the server closed the connection";

impl Line {
    pub(super) fn new(stream: TcpStream, node: NodeIndex) -> Self {
        Self { stream, node, flight: None }
    }

    /// The ticket of the request under way.
    pub(super) fn under_way(&self) -> Option<u32> {
        self.flight.as_ref().map(|flight| flight.ticket)
    }

    /// Begins a request; false where what the socket did not take waits for it to have room, and the line wants to be looked at.
    ///
    /// # Errors
    /// The connection is gone, and nothing of the request has left.
    pub(super) fn begin(&mut self, ticket: u32, request: &[u8]) -> io::Result<bool> {
        let written = match self.stream.try_write(request) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            other => other?,
        };
        let unwritten = request[written..].to_vec();
        let whole = unwritten.is_empty();
        self.flight =
            Some(Flight { ticket, began: written > 0, unwritten, response: Response::default() });
        Ok(whole)
    }

    /// Does whatever the socket lets it do.
    pub(super) fn look(&mut self, cx: &mut Context<'_>, hands: &mut Hands<'_>) -> Looked {
        if let Err(error) = self.write(cx) {
            return self.broken(error, hands);
        }
        loop {
            let mut buffer = ReadBuf::new(hands.scratch);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Pending => return Looked::Waits,
                Poll::Ready(Err(error)) => return self.broken(error, hands),
                Poll::Ready(Ok(())) => {}
            }
            let at = hands.clock.now();
            let read = buffer.filled().len();
            if read == 0 {
                return self.closed(at, hands);
            }
            if let Some(why) = self.read(read, at, hands) {
                return Looked::Ended(why);
            }
        }
    }

    fn write(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let Some(flight) = &mut self.flight else { return Ok(()) };
        while !flight.unwritten.is_empty() {
            let Poll::Ready(written) = Pin::new(&mut self.stream).poll_write(cx, &flight.unwritten)
            else {
                return Ok(());
            };
            flight.began = true;
            flight.unwritten.drain(..written?);
        }
        flight.unwritten = Vec::new();
        Ok(())
    }

    /// Takes what was read into the scratch buffer; why the connection is of no more use, if so.
    fn read(&mut self, count: usize, at: Micros, hands: &mut Hands<'_>) -> Option<&'static str> {
        let Some(flight) = &mut self.flight else {
            return Some("the server spoke without being asked");
        };
        match flight.response.feed(&hands.scratch[..count]) {
            Ok(Fed::Partial) => None,
            Ok(Fed::Whole { head, used }) => {
                let is_written = flight.unwritten.is_empty();
                self.answered(head, at, hands);
                if used < count {
                    Some("the server said more than it was asked")
                } else if !is_written {
                    Some("the server answered before it was asked")
                } else if !head.keep_alive {
                    Some("the server keeps no connection after an answer")
                } else {
                    None
                }
            }
            Err(Malformed(why)) => {
                self.lost(at, hands);
                Some(why)
            }
        }
    }

    fn answered(&mut self, head: Head, at: Micros, hands: &mut Hands<'_>) {
        let Some(Flight { ticket, .. }) = self.flight.take() else { return };
        let outcome = hands.verdict.of(head.status, true);
        let by = (outcome == Outcome::Acked).then_some(self.node);
        hands.out.push(Progress::Done { ticket, outcome, at, by, position: head.position });
    }

    /// The connection ends under a request. A head that says no was heard all the same.
    pub(super) fn lost(&mut self, at: Micros, hands: &mut Hands<'_>) {
        let Some(Flight { ticket, began, response, .. }) = self.flight.take() else { return };
        let outcome = match response.head() {
            Some(head) => hands.verdict.of(head.status, false),
            None => Verdict::of_end(began),
        };
        hands.out.push(Progress::Done { ticket, outcome, at, by: None, position: None });
    }

    fn closed(&mut self, at: Micros, hands: &mut Hands<'_>) -> Looked {
        match self.flight.as_ref().and_then(|flight| flight.response.end()) {
            Some(head) => self.answered(head, at, hands),
            None => self.lost(at, hands),
        }
        Looked::Ended(CLOSED)
    }

    fn broken(&mut self, error: io::Error, hands: &mut Hands<'_>) -> Looked {
        self.lost(hands.clock.now(), hands);
        hands.error = Some(error);
        Looked::Ended("the connection broke")
    }
}
