//! The labs of this build, one line each.

use seams::{Catalog, MakeLab};

pub(crate) static CATALOG: Catalog<MakeLab> =
    Catalog { noun: "lab", kinds: &[local::LAB, pretend::LAB] };
