//! TLS of a link, as tokio-postgres wants it: the server has been asked before, in PostgreSQL's own words.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use seams::{
    Stamped,
    secure::{Access, Stream},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

/// The handshake of one link.
pub(crate) struct Handshake(pub(crate) Access);

/// The socket behind it.
pub(crate) struct Socket(Stream);

impl TlsConnect<Stamped> for Handshake {
    type Stream = Socket;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Socket>> + Send>>;

    fn connect(self, stream: Stamped) -> Self::Future {
        Box::pin(async move { Ok(Socket(self.0.wrap(stream).await?)) })
    }
}

/// A password is not bound to the channel: the server's certificate has been checked.
impl TlsStream for Socket {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
