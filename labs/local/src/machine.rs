//! A node under power: its place on the network, and its stub init on the other end of a socket.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
};

use rustix::process::{Signal, pidfd_send_signal};
use tokio::{io::unix::AsyncFd, sync::mpsc};

use crate::{
    Inside,
    attachment::Place,
    init::{Order, Report},
    ipc,
    sys::when_readable,
};

#[derive(Debug)]
pub(crate) struct Machine {
    pub place: Place,
    control: Arc<OwnedFd>,
    /// Of the stub: the kernel says there when the last process of the node is gone.
    init: AsyncFd<Arc<OwnedFd>>,
    reports: mpsc::UnboundedReceiver<(Report, Vec<OwnedFd>)>,
}

impl Machine {
    pub(crate) async fn boot(inside: &Inside, hostname: &str, place: Place) -> io::Result<Self> {
        let control = Arc::new(inside.spawn_init(hostname, place.namespace.as_fd())?);
        rustix::io::ioctl_fionbio(&*control, true)?;
        let (hear, mut reports) = mpsc::unbounded_channel();
        tokio::spawn(listen(when_readable(control.clone())?, hear));
        match reports.recv().await {
            Some((Report::Ready, mut beside)) => {
                let init = beside.pop().ok_or_else(|| {
                    io::Error::other("the node's init came without its descriptor")
                })?;
                let init = when_readable(Arc::new(init))?;
                Ok(Self { place, control, init, reports })
            }
            Some((Report::Refused { step, errno }, _)) => {
                let error = io::Error::from_raw_os_error(errno);
                Err(io::Error::new(error.kind(), format!("{step}: {error}")))
            }
            other => Err(io::Error::other(format!("the node's init began with {other:?}"))),
        }
    }

    pub(crate) fn order(&self, order: &Order) -> io::Result<()> {
        ipc::send(&*self.control, order, &[])
    }

    /// Whether its init has ended, and with it everything in it.
    pub(crate) fn is_gone(&self) -> bool {
        self.reports.is_closed()
    }

    /// The next report; an error when the stub is gone. Cancel safe.
    pub(crate) async fn report(&mut self) -> io::Result<Report> {
        match self.reports.recv().await {
            Some((Report::Refused { step, errno }, _)) => {
                let error = io::Error::from_raw_os_error(errno);
                Err(io::Error::new(error.kind(), format!("{step}: {error}")))
            }
            Some((report, _)) => Ok(report),
            None => Err(io::Error::new(io::ErrorKind::BrokenPipe, "the node's init is gone")),
        }
    }

    /// Kills the stub, and with it the kernel kills every process of the node. Returns when none is left.
    pub(crate) async fn destroy(self) -> io::Result<Place> {
        self.kill();
        self.init.readable().await?.retain_ready();
        Ok(self.place.clone())
    }

    fn kill(&self) {
        // It is our own child's child: only having ended already is left as a reason to fail.
        let _ = pidfd_send_signal(self.init.get_ref(), Signal::KILL);
    }
}

/// Whoever forgets a machine must not leave its processes behind.
impl Drop for Machine {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn listen(
    control: AsyncFd<Arc<OwnedFd>>,
    hear: mpsc::UnboundedSender<(Report, Vec<OwnedFd>)>,
) {
    while let Ok(mut ready) = control.readable().await {
        match ready.try_io(|control| ipc::receive::<Report>(control.get_ref().as_fd())) {
            // Nobody hears any more, or the stub is gone.
            Ok(Ok(Some(report))) => {
                // Nobody hears any more when the machine is being thrown away.
                let _ = hear.send(report);
            }
            Err(_would_block) => {}
            Ok(Ok(None) | Err(_)) => return,
        }
    }
}
