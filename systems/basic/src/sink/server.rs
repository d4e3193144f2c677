//! A sink from its start to its end.

use std::{
    convert::Infallible,
    io::{self, Cursor},
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rustix::process::{Resource, Rlimit, getppid, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt, join},
    net::{TcpListener, TcpSocket, TcpStream},
    signal::unix::{SignalKind, signal},
    time::{interval, sleep},
};

use super::{
    api,
    args::SinkArgs,
    fast,
    fast::NotPlain,
    kept::Kept,
    shared::{Counts, Shared, State},
    stall::Stall,
    stamps::Stamps,
};

/// Connections that may wait to be accepted; the kernel may allow fewer.
const BACKLOG: u32 = 1 << 16;
/// Open files, at the most; more is of no use.
const FILES: u64 = 1 << 20;
/// Streams of one HTTP/2 connection under way at once.
const STREAMS: u32 = 4096;
/// How soon it sees that its parent has ended.
const LOOK_AT_PARENT: Duration = Duration::from_millis(500);
/// Out of descriptors: some must go first.
const PAUSE: Duration = Duration::from_millis(50);

/// Why a sink did not start or go on; finishes "failed to ...".
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    #[error("listen on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("write `{}`: {source}", path.display())]
    Stamps { path: PathBuf, source: io::Error },
    #[error("listen for signals: {0}")]
    Signals(#[source] io::Error),
    #[error("stall for {stall:?} every {every:?}: it would never answer")]
    Stall { stall: Duration, every: Duration },
}

/// A server that listens already.
#[derive(Debug)]
pub struct Sink {
    listener: TcpListener,
    address: SocketAddr,
    lasts: Option<Duration>,
    stamps: Option<PathBuf>,
    shared: Arc<Shared>,
}

impl Sink {
    /// Listens, inside a tokio runtime with time and I/O. The soft limit of open files is raised to the hard one.
    ///
    /// # Errors
    /// The address is taken or not of this machine, the file cannot be made, or the stalls leave no time to answer.
    pub fn bind(args: &SinkArgs) -> Result<Self, SinkError> {
        raise_limit();
        let stall = match args.stall.zip(args.every) {
            None => None,
            Some((stall, every)) => {
                Some(Stall::new(stall, every).ok_or(SinkError::Stall { stall, every })?)
            }
        };
        let stamps = match &args.stamps {
            None => None,
            Some(path) => Some(Stamps::create(path).map_err(unwritten(path))?),
        };
        let listening = |source| SinkError::Listen { address: args.listen, source };
        let listener = listen(args.listen).map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let shared = Shared::new(Kept::new(args.keep), stall, stamps);
        let (lasts, stamps) = (args.lasts, args.stamps.clone());
        Ok(Self { listener, address, lasts, stamps, shared: Arc::new(shared) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it has lasted for as long as it was told, is told to end, or its parent has ended.
    ///
    /// # Errors
    /// Signals cannot be listened for, or the file was not written to its end.
    pub async fn serve(self) -> Result<Counts, SinkError> {
        let Self { listener, lasts, stamps, shared, .. } = self;
        tokio::select! {
            ended = told_to_end(lasts) => ended.map_err(SinkError::Signals)?,
            never = accept(&listener, &shared) => match never {},
        }
        let mut state = shared.state();
        let State { counts, stamps: file, unwritten: failed, kept, .. } = &mut *state;
        counts.forgotten = kept.forgotten_count();
        let written = match failed.take() {
            Some(error) => Err(error),
            None => file.take().map_or(Ok(()), Stamps::finish),
        };
        written.map_err(unwritten(&stamps.unwrap_or_default()))?;
        Ok(*counts)
    }
}

fn unwritten(path: &std::path::Path) -> impl FnOnce(io::Error) -> SinkError {
    let path = path.to_owned();
    |source| SinkError::Stamps { path, source }
}

/// What the machine does not give shows when connections are accepted.
fn raise_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let current = Some(maximum.map_or(FILES, |most| most.min(FILES)));
    let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum });
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn told_to_end(lasts: Option<Duration>) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let time_is_up = async {
        match lasts {
            Some(lasts) => sleep(lasts).await,
            None => std::future::pending().await,
        }
    };
    let orphaned = async {
        let parent = getppid();
        let mut every = interval(LOOK_AT_PARENT);
        while getppid() == parent {
            every.tick().await;
        }
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = time_is_up => {}
        () = orphaned => {}
    }
    Ok(())
}

async fn accept(listener: &TcpListener, shared: &Arc<Shared>) -> Infallible {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, shared.clone()));
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// One connection to its end; the client's trouble is the client's to see.
async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    // Without it answers could wait for the client's acknowledgement; a socket that refuses it is already gone.
    let _ = stream.set_nodelay(true);
    {
        let mut state = shared.state();
        state.open += 1;
        state.counts.connections += 1;
        state.counts.connections_max = state.counts.connections_max.max(state.open);
    }
    match fast::serve(stream, &shared).await {
        // A task of its own: this one stays small for all that never need it.
        Ok(Some(other)) => drop(tokio::spawn(by_hyper(other, shared))),
        Ok(None) | Err(_) => shared.state().open -= 1,
    }
}

async fn by_hyper(NotPlain { stream, read }: NotPlain, shared: Arc<Shared>) {
    let service = service_fn(|request| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(api::answer(&shared, request).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().auto_date_header(false);
    builder.http2().auto_date_header(false).max_concurrent_streams(STREAMS);
    let (rest, answers) = stream.into_split();
    let stream = join(Cursor::new(read).chain(rest), answers);
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
    shared.state().open -= 1;
}
