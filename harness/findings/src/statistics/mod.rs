//! Section 6: what samples prove. Every bound is one-sided 95 %.

pub(crate) mod binomial;
pub(crate) mod design_effect;
pub(crate) mod holm;
pub(crate) mod limit;
pub(crate) mod trials;

pub use binomial::{Side, clopper_pearson};
pub use holm::holm;
pub use limit::{LimitGate, LimitTest, Sample, limit_gates};
pub use trials::{Trials, trials};
