//! One connection to a server or a sentinel, on a socket of the lab. The codec and the pipelining are the `redis` crate's; it neither
//! reconnects nor retries on a connection that is handed to it.

use std::{io, sync::Arc};

use redis::{
    AsyncConnectionConfig, Cmd, FromRedisValue, RedisConnectionInfo, RedisError, RedisResult,
    aio::MultiplexedConnection,
};
use seams::{Network, Origin, SystemError};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use seams::{LastRead, Stamped};

use crate::{CALL_TIMEOUT, PING_EVERY};

/// A handle on a connection. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    connection: MultiplexedConnection,
    read: LastRead,
    left: Arc<Notify>,
}

/// Connects. The task tells the reason when the connection has ended, and ends it when the set is dropped.
pub(crate) async fn open(
    network: &dyn Network,
    from: &Origin,
    to: std::net::SocketAddr,
) -> io::Result<(Link, JoinSet<&'static str>)> {
    let stream = network.tcp(from, to).await?;
    stream.set_nodelay(true)?;
    let read = LastRead::new();
    let stamped = Stamped { stream, read: read.clone() };
    // The fleet owns deadlines: the crate's own would call an answer lost that still comes.
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let plain = RedisConnectionInfo::default().set_skip_set_lib_name();
    let made = MultiplexedConnection::new_with_config(&plain, stamped, config).await;
    let (connection, driving) = made.map_err(io::Error::other)?;
    let link = Link { connection, read, left: Arc::default() };
    let (pinged, mut task) = (link.clone(), JoinSet::new());
    task.spawn(async move {
        tokio::select! {
            () = driving => "the connection broke",
            why = pinged.stays() => why,
        }
    });
    Ok((link, task))
}

impl Link {
    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        command.query_async(&mut self.connection.clone()).await
    }

    /// When the newest bytes from the server were read.
    pub(crate) fn last_read(&self) -> Instant {
        self.read.at()
    }

    /// Gives the connection up for everybody on it.
    pub(crate) fn leave(&self) {
        self.left.notify_one();
    }

    /// Until somebody gives it up, or pings are not answered.
    async fn stays(&self) -> &'static str {
        loop {
            tokio::select! {
                () = self.left.notified() => return "the server does not lead any more",
                () = sleep(PING_EVERY) => {}
            }
            let ping = redis::cmd("PING");
            tokio::select! {
                () = self.left.notified() => return "the server does not lead any more",
                // Whatever it says, it was heard.
                answer = timeout(PING_EVERY, self.ask::<redis::Value>(&ping)) => {
                    if answer.is_err() && self.last_read().elapsed() > PING_EVERY {
                        return "a ping was not answered";
                    }
                }
            }
        }
    }
}

/// Waits for an answer, for a while: a stopped server accepts connections and says nothing.
pub(crate) async fn answered<T>(
    doing: &str,
    call: impl Future<Output = Result<T, RedisError>>,
) -> Result<T, SystemError> {
    let why = match timeout(CALL_TIMEOUT, call).await {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {CALL_TIMEOUT:?}"),
    };
    Err(SystemError::Answer { doing: doing.to_owned(), why })
}
