//! Connections that the assets of a cell share, as sessions. Each is made in a task of its own, beside every request; when it ends, its
//! sessions end. Absent on purpose: deadlines of requests, retries and reconnects, which are the fleet's.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt,
    future::Future,
    pin::Pin,
    rc::{Rc, Weak},
    sync::Arc,
    time::Duration,
};

use model::{End, NodeIndex};
use tokio::{sync::watch, task::AbortHandle, time::timeout};

use super::{Answer, Attempt, Connect, Session};
use crate::{ConnectRequest, Disconnect, Network, Origin};

/// How a shared connection is made, and how a reading goes over it.
pub trait Protocol: Send + Sync + 'static {
    /// A handle on a connection; clones share it.
    type Wire: Clone + Send + Sync + 'static;

    /// The number, within the asset's cell, of the connection that a request is to go over: of a node, a partition, a place of a pool.
    ///
    /// # Errors
    /// Why there is none; the fleet asks again.
    fn line(&self, request: &ConnectRequest) -> Result<u32, &'static str>;

    /// Makes that connection. It stands when the server has answered as wanted: a stopped one accepts connections all the same. Dropped
    /// when `connect_timeout` has passed.
    fn open(
        &self,
        network: Arc<dyn Network>,
        from: Origin,
        line: u32,
    ) -> impl Future<Output = Result<Opened<Self::Wire>, &'static str>> + Send;

    /// Sends one reading, once; see [`Session::send`].
    fn send(&self, wire: &Self::Wire, attempt: Attempt) -> impl Future<Output = Answer>;
}

/// A connection that stands.
pub struct Opened<W> {
    pub wire: W,
    /// The node at its other side.
    pub node: NodeIndex,
    /// Resolves when the connection is gone, with the reason.
    pub ended: Pin<Box<dyn Future<Output = &'static str> + Send>>,
}

/// The sessions of one thread over the connections that its assets share.
pub struct Lines<D: Protocol> {
    dial: Arc<D>,
    connect_timeout: Duration,
    network: Arc<dyn Network>,
    lines: RefCell<Known<D::Wire>>,
    silent: Rc<Silent<D::Wire>>,
}

/// Connections by their cell and number, as long as anybody holds them.
type Known<W> = BTreeMap<(End, u32), Weak<Line<W>>>;

/// Connections whose assets left without a word: kept as they are, so that the servers are not told.
type Silent<W> = RefCell<Vec<Rc<Line<W>>>>;

/// A connection from a cell, from the first wish for it. It is closed when nobody holds it any more.
struct Line<W> {
    state: watch::Receiver<State<W>>,
    task: AbortHandle,
}

#[derive(Clone)]
enum State<W> {
    Opening,
    Up(W, NodeIndex),
    Ended(&'static str),
}

/// The whole lane goes away.
const GIVEN_UP: &str = "the connection was given up";

impl<D: Protocol> Lines<D> {
    /// `connect_timeout`: a try to connect ends after this long.
    pub fn new(dial: D, connect_timeout: Duration, network: Arc<dyn Network>) -> Self {
        let (lines, silent) = (RefCell::default(), Rc::default());
        Self { dial: Arc::new(dial), connect_timeout, network, lines, silent }
    }

    /// The line that stands or is being made, or a new one.
    fn line(&self, from: &Origin, number: u32) -> Rc<Line<D::Wire>> {
        let mut lines = self.lines.borrow_mut();
        let known = lines.entry((from.end.clone(), number)).or_default();
        match known.upgrade().filter(|line| !line.has_ended()) {
            Some(line) => line,
            None => {
                self.silent.borrow_mut().retain(|line| !line.has_ended());
                let line = Rc::new(self.begin(from.clone(), number));
                *known = Rc::downgrade(&line);
                line
            }
        }
    }

    fn begin(&self, from: Origin, number: u32) -> Line<D::Wire> {
        let (tell, state) = watch::channel(State::Opening);
        let (dial, network, patience) =
            (self.dial.clone(), self.network.clone(), self.connect_timeout);
        let task = tokio::spawn(async move {
            let why = match timeout(patience, dial.open(network, from, number)).await {
                Ok(Ok(Opened { wire, node, ended })) => {
                    tell.send_replace(State::Up(wire, node));
                    ended.await
                }
                Ok(Err(why)) => why,
                Err(_) => "the server did not answer within `connect_timeout`",
            };
            tell.send_replace(State::Ended(why));
        });
        Line { state, task: task.abort_handle() }
    }
}

impl<D: Protocol> Connect for Lines<D> {
    type Session = Shared<D>;

    async fn connect(&self, request: &ConnectRequest) -> Result<Shared<D>, &'static str> {
        let line = self.line(&request.from, self.dial.line(request)?);
        match line.reach(|state| !matches!(state, State::Opening)).await {
            State::Ended(why) => Err(why),
            State::Opening => Err(GIVEN_UP),
            State::Up(wire, node) => {
                let (dial, silent) = (self.dial.clone(), self.silent.clone());
                Ok(Shared { dial, wire, node, line, silent })
            }
        }
    }
}

/// One asset, or one gateway, on a connection that others of its cell use too.
pub struct Shared<D: Protocol> {
    dial: Arc<D>,
    wire: D::Wire,
    node: NodeIndex,
    line: Rc<Line<D::Wire>>,
    silent: Rc<Silent<D::Wire>>,
}

impl<D: Protocol> Session for Shared<D> {
    fn node(&self) -> NodeIndex {
        self.node
    }

    async fn send(&self, attempt: Attempt) -> Answer {
        self.dial.send(&self.wire, attempt).await
    }

    async fn closed(&self) -> &'static str {
        match self.line.reach(|state| matches!(state, State::Ended(_))).await {
            State::Ended(why) => why,
            State::Opening | State::Up(..) => GIVEN_UP,
        }
    }

    /// The others stay; the last one closes the connection, with a word or without.
    fn disconnect(&self, how: Disconnect) {
        if how == Disconnect::Silent {
            self.silent.borrow_mut().push(self.line.clone());
        }
    }
}

impl<W: Clone> Line<W> {
    fn has_ended(&self) -> bool {
        matches!(*self.state.borrow(), State::Ended(_))
    }

    /// Waits for a state; its task tells one to the last, unless the whole lane is going away.
    async fn reach(&self, wanted: impl Fn(&State<W>) -> bool) -> State<W> {
        let mut state = self.state.clone();
        if let Ok(reached) = state.wait_for(|state| wanted(state)).await {
            return reached.clone();
        }
        self.state.borrow().clone()
    }
}

impl<W> Drop for Line<W> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<W> fmt::Debug for Opened<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("node", &self.node).finish_non_exhaustive()
    }
}

impl<D: Protocol> fmt::Debug for Lines<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("lines", &self.lines.borrow().len()).finish_non_exhaustive()
    }
}

impl<D: Protocol> fmt::Debug for Shared<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("node", &self.node).finish_non_exhaustive()
    }
}
