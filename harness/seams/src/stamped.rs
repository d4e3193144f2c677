//! When the newest bytes from a server were read: an ack is timed where its bytes arrive, not where its task gets its turn.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};

/// The moment of the last successful read of a socket.
#[derive(Clone, Debug)]
pub struct LastRead {
    opened: Instant,
    after_us: Arc<AtomicU64>,
    refusal: Arc<OnceLock<&'static str>>,
}

impl Default for LastRead {
    fn default() -> Self {
        Self::new()
    }
}

impl LastRead {
    /// Of a socket that was opened now.
    pub fn new() -> Self {
        Self { opened: Instant::now(), after_us: Arc::default(), refusal: Arc::default() }
    }

    fn stamp(&self) {
        let after = u64::try_from(self.opened.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.after_us.store(after, Ordering::Relaxed);
    }

    /// Why the other side broke off, where it said so under TLS: what is spoken above may lose the reason.
    pub fn refusal(&self) -> Option<&'static str> {
        self.refusal.get().copied()
    }

    pub(crate) fn refused(&self, why: &'static str) {
        // The first reason is the cause of all others.
        let _known = self.refusal.set(why);
    }

    /// When the newest bytes were read; of a socket that has read nothing, when it was opened.
    pub fn at(&self) -> Instant {
        self.opened + Duration::from_micros(self.after_us.load(Ordering::Relaxed))
    }
}

/// A socket that stamps what it reads.
#[derive(Debug)]
pub struct Stamped {
    pub stream: TcpStream,
    pub read: LastRead,
}

impl AsyncRead for Stamped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.read.stamp();
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
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
