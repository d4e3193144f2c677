//! The sessions of HTTP/2: many requests under way on one connection, each a stream.

use std::{rc::Rc, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Uri,
    client::conn::http2::{Builder, SendRequest},
    header::CONTENT_TYPE,
    rt::Executor,
};
use hyper_util::rt::TokioIo;
use model::{NodeIndex, Outcome};
use seams::{Answer, Attempt, Clock, Connect, ConnectRequest, Disconnect, Network, Session, Site};
use tokio::{
    sync::watch,
    task::{AbortHandle, spawn_local},
};

use crate::{
    PORT,
    reading::POSITION,
    silent::Silent,
    stamped::{Stamped, Told},
    verdict::Verdict,
};

pub(crate) struct Http2Dial {
    pub(crate) site: Site,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) clock: Clock,
    pub(crate) verdict: Rc<Verdict>,
    pub(crate) path: String,
    pub(crate) silent: Rc<Silent>,
}

/// A connection of its own.
pub(crate) struct Http2Session {
    send: SendRequest<Full<Bytes>>,
    uri: Uri,
    node: NodeIndex,
    clock: Clock,
    network: Arc<dyn Network>,
    verdict: Rc<Verdict>,
    told: Rc<Told>,
    ended: watch::Receiver<Option<&'static str>>,
    driving: AbortHandle,
}

/// Tasks of a connection stay on the thread of its lane.
#[derive(Clone, Copy, Debug)]
struct Here;

impl<F: Future<Output = ()> + 'static> Executor<F> for Here {
    fn execute(&self, task: F) {
        spawn_local(task);
    }
}

impl Connect for Http2Dial {
    type Session = Http2Session;

    async fn connect(&self, request: &ConnectRequest) -> Result<Http2Session, &'static str> {
        let (node, name) = self
            .site
            .nth_in(&request.region, request.turn())
            .ok_or("the region has no node of the service")?;
        let to = self.network.address(name, PORT);
        let stream = self.network.tcp(&request.from, to).await;
        let stream = stream.map_err(|_| "the node cannot be reached")?;
        stream.set_nodelay(true).map_err(|_| "the connection broke")?;
        let (stream, told) = Stamped::new(stream, self.clock.clone(), self.silent.clone());
        let (send, connection) = Builder::new(Here)
            .handshake::<_, Full<Bytes>>(TokioIo::new(stream))
            .await
            .map_err(|_| "the node does not speak HTTP/2")?;
        let (tell, ended) = watch::channel(None);
        let driving = spawn_local(async move {
            let why = match connection.await {
                Ok(()) => "the server closed the connection",
                Err(_) => "the connection broke",
            };
            tell.send_replace(Some(why));
        });
        let uri = Uri::builder().scheme("http").authority(to.to_string());
        let uri = uri.path_and_query(self.path.as_str()).build();
        Ok(Http2Session {
            send,
            uri: uri.map_err(|_| "`path` is no path")?,
            node,
            clock: self.clock.clone(),
            network: self.network.clone(),
            verdict: self.verdict.clone(),
            told,
            ended,
            driving: driving.abort_handle(),
        })
    }
}

impl Http2Session {
    fn unknown(&self, error: &hyper::Error) -> Answer {
        self.network.failed(error);
        Answer::unknown(self.clock.now())
    }
}

impl Session for Http2Session {
    fn node(&self) -> NodeIndex {
        self.node
    }

    async fn send(&self, attempt: Attempt) -> Answer {
        let request = Request::post(self.uri.clone())
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(Full::new(attempt.payload))
            .expect("the address was checked when it was connected to");
        let (head, mut body) = match self.send.clone().try_send_request(request).await {
            Ok(response) => response.into_parts(),
            Err(mut refusal) => {
                // hyper hands it back where no byte of it has left.
                let never_left = refusal.take_message().is_some();
                let answer = self.unknown(&refusal.into_error());
                return if never_left { Answer::refused(answer.at) } else { answer };
            }
        };
        let mut whole = true;
        while let Some(frame) = body.frame().await {
            if let Err(error) = frame {
                self.network.failed(&error);
                whole = false;
                break;
            }
        }
        let outcome = self.verdict.of(head.status.as_u16(), whole);
        let position =
            head.headers.get(POSITION).and_then(|value| value.to_str().ok()?.parse().ok());
        let by = (outcome == Outcome::Acked).then_some(self.node);
        Answer { outcome, at: self.told.read_at.get(), by, position }
    }

    async fn closed(&self) -> &'static str {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await.map(|why| *why) {
            Ok(Some(why)) => why,
            Ok(None) | Err(_) => "the connection was given up",
        }
    }

    fn disconnect(&self, how: Disconnect) {
        self.told.part.set(how);
        self.driving.abort();
    }
}

impl Drop for Http2Session {
    fn drop(&mut self) {
        self.driving.abort();
    }
}
