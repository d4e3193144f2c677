//! The labs of this build, one line each. A scenario that names none runs in the first.

use seams::{Catalog, MakeLab};

pub(crate) static CATALOG: Catalog<MakeLab> =
    Catalog { noun: "lab", kinds: &[local::LAB, pretend::LAB] };
