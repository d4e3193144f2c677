//! A kind of lab: what is known of it before anything starts, and how one gets inside.

use std::{fmt, path::PathBuf, pin::Pin, sync::Arc};

use model::Topology;
use serde_json::Value;

use crate::{Lab, LabError, Room};

/// One kind of place where a stack can run. It is the line of the lab in its catalog; parameters are read by the catalog's own reader.
pub trait LabKind: Sync {
    /// Whether servers and time are a model. Such a lab says nothing of real systems, and every report of its runs says *simulated*.
    /// Traffic is then sent from the body's own thread: its clock may be paused.
    fn simulated(&self) -> bool {
        false
    }

    /// Whether the lab starts and stops the stack's processes. Where it does not, the stack runs already: nothing is started, and nothing
    /// provisioned in it.
    fn owns_processes(&self) -> bool {
        true
    }

    /// Whether this machine has room for a run. Asked inside, before anything is opened.
    ///
    /// # Errors
    /// It has not: what is needed, what is there, and the remedy.
    fn has_room(&self, room: &Room) -> Result<(), LabError> {
        let _ = room;
        Ok(())
    }

    /// Goes where the harness of this lab lives, makes a lab and a runtime there, runs `body` in it, and comes back when everything inside
    /// has ended. To be called from `main`, before any thread exists: a lab may fork.
    ///
    /// # Errors
    /// The host does not let anybody inside; `body` was not called. A lab that could not be made inside is told to `body` instead.
    fn enter(&self, setup: LabSetup, body: Body<'_>) -> Result<Ended, LabError>;
}

/// How a catalog of labs brings its kinds to life.
pub type MakeLab = &'static dyn LabKind;

/// What a lab is made of.
#[derive(Clone, Debug)]
pub struct LabSetup {
    /// In the canonical form that the kind's own reader gave them.
    pub params: Value,
    pub topology: Arc<Topology>,
    /// With the topology and what is wanted it decides every random choice of the lab.
    pub seed: u64,
    /// The run's folder, for what nodes write and for their logs.
    pub folder: PathBuf,
}

/// What is run inside. The number that it ends with comes back as [`Ended::Returned`], also from another process.
pub type Body<'a> =
    Box<dyn FnOnce(Result<Entered, LabError>) -> Pin<Box<dyn Future<Output = u8> + 'a>> + 'a>;

/// What `body` finds inside.
pub struct Entered {
    pub lab: Arc<dyn Lab>,
    /// Ends when somebody outside asks for an end in good order.
    pub interrupt: Pin<Box<dyn Future<Output = ()>>>,
}

/// How the inside ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this number.
    Returned(u8),
    /// By this signal.
    Signalled(i32),
    /// Somebody outside asked twice for an end: everything inside was killed.
    Interrupted,
    /// Somebody killed the walls of the lab, and with them everything inside.
    Torn,
}

impl fmt::Debug for Entered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entered").finish_non_exhaustive()
    }
}
