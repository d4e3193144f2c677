//! A connection with publisher confirms, driven by a task of its own. One publish, one message; none is said twice.

use std::{collections::BTreeMap, net::SocketAddr};

use bytes::{BufMut, Bytes};
use seams::{Network, Origin};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::Instant,
};

use crate::{
    codec,
    link::{CHANNEL, Ended, Link},
    said::Said,
};

/// A handle on a connection. Clones share it; the connection closes when the last one is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Publisher {
    orders: mpsc::UnboundedSender<Order>,
}

#[derive(Debug)]
struct Order {
    queue: String,
    payload: Bytes,
    answer: oneshot::Sender<(Confirm, Instant)>,
}

/// What the broker says of a publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confirm {
    Ack,
    Nack,
    /// No queue took it.
    Returned,
}

/// Why a publish was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unanswered {
    /// Certain: the connection had ended before the publish was handed to it.
    #[error("the connection had ended before")]
    NotSent,
    #[error("the connection ended under the publish")]
    Ended,
}

/// Connects, and waits until the broker has agreed to confirm; then drives the connection in a task that resolves with the reason when it
/// has ended.
pub(crate) async fn open(
    network: &dyn Network,
    from: &Origin,
    to: SocketAddr,
) -> Result<(Publisher, JoinHandle<&'static str>), Ended> {
    let mut link = Link::open(network, from, to).await?;
    link.ask(CHANNEL, codec::CONFIRM_SELECT, |out| out.put_u8(0));
    link.until(codec::CONFIRM_SELECT_OK).await?;
    let (orders, taken) = mpsc::unbounded_channel();
    let driving = tokio::spawn(Driving::default().drive(link, taken));
    Ok((Publisher { orders }, driving))
}

impl Publisher {
    /// Publishes, and waits for the confirm for as long as the connection stands.
    pub(crate) async fn publish(
        &self,
        queue: String,
        payload: Bytes,
    ) -> Result<(Confirm, Instant), Unanswered> {
        let (answer, come) = oneshot::channel();
        let order = Order { queue, payload, answer };
        self.orders.send(order).map_err(|_| Unanswered::NotSent)?;
        come.await.map_err(|_| Unanswered::Ended)
    }
}

#[derive(Debug, Default)]
struct Driving {
    /// As many as were published; the broker counts along.
    count: u64,
    waiting: BTreeMap<u64, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    answer: oneshot::Sender<(Confirm, Instant)>,
    /// A message that no queue took is returned first and confirmed then.
    returned: bool,
}

impl Driving {
    /// Until the connection ends or nobody holds it any more.
    async fn drive(
        mut self,
        mut link: Link,
        mut orders: mpsc::UnboundedReceiver<Order>,
    ) -> &'static str {
        loop {
            tokio::select! {
                said = link.said() => match said {
                    Ok((said, at)) => self.hear(&said, at),
                    Err(ended) => return ended.why(),
                },
                order = orders.recv() => {
                    let Some(order) = order else { return "the connection was given up" };
                    self.publish(&mut link, order);
                    while let Ok(order) = orders.try_recv() {
                        self.publish(&mut link, order);
                    }
                }
            }
        }
    }

    fn publish(&mut self, link: &mut Link, order: Order) {
        self.count += 1;
        codec::publish(&mut link.out, CHANNEL, &order.queue, self.count, &order.payload);
        self.waiting.insert(self.count, Waiting { answer: order.answer, returned: false });
    }

    fn hear(&mut self, said: &Said, at: Instant) {
        match *said {
            Said::Returned { id: Some(id) } => {
                if let Some(waiting) = self.waiting.get_mut(&id) {
                    waiting.returned = true;
                }
            }
            Said::Confirmed { tag, multiple, stored } => {
                let first = if multiple { 0 } else { tag };
                let meant: Vec<_> = self.waiting.range(first..=tag).map(|(tag, _)| *tag).collect();
                // What is confirmed twice meets nobody.
                for tag in meant {
                    let Some(Waiting { answer, returned }) = self.waiting.remove(&tag) else {
                        continue;
                    };
                    let confirm = match (returned, stored) {
                        (true, _) => Confirm::Returned,
                        (false, true) => Confirm::Ack,
                        (false, false) => Confirm::Nack,
                    };
                    let _gone = answer.send((confirm, at));
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confirm_means_one_or_all_before_it_and_meets_each_once() {
        let mut driving = Driving::default();
        let mut answers: Vec<_> = (1..=5)
            .map(|tag| {
                let (answer, come) = oneshot::channel();
                driving.waiting.insert(tag, Waiting { answer, returned: false });
                come
            })
            .collect();
        let now = Instant::now();
        let said = |tag, multiple, stored| Said::Confirmed { tag, multiple, stored };
        for said in [
            said(2, false, true),
            Said::Returned { id: Some(1) },
            said(3, true, true),
            said(3, true, false),
            said(4, false, false),
            Said::Returned { id: None },
        ] {
            driving.hear(&said, now);
        }
        let come = answers.iter_mut().map(|answer| answer.try_recv().ok().map(|(said, _)| said));
        let come: Vec<_> = come.collect();
        use Confirm::{Ack, Nack, Returned};
        assert_eq!(come, [Some(Returned), Some(Ack), Some(Ack), Some(Nack), None]);
    }
}
