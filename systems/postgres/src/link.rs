//! One connection to one server, on one socket of the network.
//!
//! Absent on purpose: reconnecting, retrying, deadlines of single requests. A link that has ended stays ended.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use model::NodeId;
use seams::{LastRead, Network, Origin, Stamped, SystemError, secure::cause};
use tokio::{
    sync::Notify,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_postgres::{Client, error::SqlState};

use crate::{CALL_TIMEOUT, login::Login, tls::Handshake};

/// How often, within its patience, a link that waits looks whether it has heard anything.
const LOOKS: u32 = 8;

pub(crate) const READ_ONLY: &str = "the server is read only: it does not lead any more";
const CLOSED: &str = "the connection was closed";
const BROKE: &str = "the connection broke";
const SILENT: &str = "no byte came within `socket_timeout` while requests were under way";

/// A client and what is known of its socket. The connection closes when it is dropped.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) client: Client,
    read: LastRead,
    waiting: Arc<Waiting>,
}

/// Requests under way, for the watch over silence.
#[derive(Debug, Default)]
struct Waiting {
    count: AtomicU32,
    leave: Notify,
}

/// One request under way.
#[derive(Debug)]
pub(crate) struct Request<'a>(&'a Waiting);

impl Drop for Request<'_> {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Connects and says who asks. The connection is driven in a task that resolves with the reason when it has ended; one that hears
/// nothing for as long as `silence` while requests are under way is given up.
pub(crate) async fn open(
    network: &dyn Network,
    from: &Origin,
    (node, port): (&NodeId, u16),
    login: &Login,
    silence: Duration,
) -> Result<(Link, JoinHandle<&'static str>), OpenError> {
    login.access.usable()?;
    let stream = network.tcp(from, network.address(node, port)).await?;
    stream.set_nodelay(true)?;
    let read = LastRead::new();
    let stamped = Stamped { stream, read: read.clone() };
    let (client, connection) =
        login.config().connect_raw(stamped, Handshake(login.access.clone())).await?;
    let waiting = Arc::<Waiting>::default();
    let (watched, heard) = (waiting.clone(), read.clone());
    let driving = tokio::spawn(async move {
        tokio::select! {
            ended = connection => if ended.is_ok() { CLOSED } else { BROKE },
            () = watched.silence(&heard, silence) => SILENT,
            () = watched.leave.notified() => READ_ONLY,
        }
    });
    Ok((Link { client, read, waiting }, driving))
}

/// Why a link could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("{}", chain(.0))]
    Sql(#[from] tokio_postgres::Error),
}

impl OpenError {
    /// Why the client, or the server, is not believed; None for a failure of another sort.
    pub(crate) fn refusal(&self) -> Option<&'static str> {
        match self {
            Self::Io(error) => cause(error),
            Self::Sql(error) => match error.code() {
                Some(&SqlState::INVALID_PASSWORD) => Some("the server refused the user's password"),
                Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
                    Some("the server does not let the user in this way")
                }
                _ => cause(error).or_else(|| unencrypted(error)),
            },
        }
    }
}

/// The library has no code for it.
fn unencrypted(error: &tokio_postgres::Error) -> Option<&'static str> {
    let said = chain(error);
    said.contains("server does not support TLS").then_some("the server does not speak TLS here")
}

impl Link {
    /// When the newest bytes from the server were read: the stamp for an answer that has just been handed out.
    pub(crate) fn last_read(&self) -> Instant {
        self.read.at()
    }

    /// Silence counts while this is held.
    pub(crate) fn request(&self) -> Request<'_> {
        self.waiting.count.fetch_add(1, Ordering::Relaxed);
        Request(&self.waiting)
    }

    /// Ends the connection: what is under way on it is lost.
    pub(crate) fn leave(&self) {
        self.waiting.leave.notify_one();
    }
}

impl Waiting {
    /// Resolves when requests were under way for so long and no byte came; by an eighth of it late at the most.
    async fn silence(&self, read: &LastRead, patience: Duration) {
        let mut since = Instant::now();
        loop {
            sleep(patience / LOOKS).await;
            if self.count.load(Ordering::Relaxed) == 0 {
                since = Instant::now();
            } else if since.max(read.at()).elapsed() >= patience {
                return;
            }
        }
    }
}

/// Waits for an answer, for a while: a stopped server accepts connections and says nothing.
pub(crate) async fn answered<T, E: std::error::Error>(
    doing: &str,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, SystemError> {
    let why = match timeout(CALL_TIMEOUT, call).await {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(error)) => chain(&error),
        Err(_) => format!("no answer within {CALL_TIMEOUT:?}"),
    };
    Err(SystemError::Answer { doing: doing.to_owned(), why })
}

/// An error and all its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
