//! A socket of a client: it stamps what it reads, so that an answer is timed where its bytes arrive and not where its task gets its turn;
//! and it parts as it is told.

use std::{
    cell::Cell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use model::Micros;
use seams::{Clock, Disconnect};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::silent::Silent;

/// What is known of a socket, and told to it.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) read_at: Cell<Micros>,
    pub(crate) part: Cell<Disconnect>,
}

#[derive(Debug)]
pub(crate) struct Stamped {
    /// None once it has parted.
    stream: Option<TcpStream>,
    clock: Clock,
    told: Rc<Told>,
    silent: Rc<Silent>,
}

impl Stamped {
    pub(crate) fn new(stream: TcpStream, clock: Clock, silent: Rc<Silent>) -> (Self, Rc<Told>) {
        let told = Told { read_at: Cell::new(clock.now()), part: Cell::new(Disconnect::Close) };
        let told = Rc::new(told);
        (Self { stream: Some(stream), clock, told: told.clone(), silent }, told)
    }

    fn stream(&mut self) -> Pin<&mut TcpStream> {
        Pin::new(self.stream.as_mut().expect("it parts only when it is dropped"))
    }
}

impl Drop for Stamped {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            self.silent.part(stream, self.told.part.get());
        }
    }
}

impl AsyncRead for Stamped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = self.stream().poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.told.read_at.set(self.clock.now());
        }
        polled
    }
}

impl AsyncWrite for Stamped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(cx, bytes)
    }
    fn is_write_vectored(&self) -> bool {
        true
    }
}
