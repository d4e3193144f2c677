//! The exit codes, one documented enum.

use std::process::ExitCode;

/// How the program ended. `run.json` and JUnit carry the finer reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Exit {
    Pass = 0,
    /// A gate failed.
    Fail = 1,
    /// Too little evidence, a fault without effect, generator or fabric too late.
    Inconclusive = 2,
    /// Mistakes in the scenario.
    Mistakes = 3,
    /// The lab or the stack did not come up.
    NotUp = 4,
    /// The run broke off.
    BrokeOff = 5,
    /// Wrong usage of the command line.
    Usage = 64,
    /// The user interrupted it.
    Interrupted = 130,
}

impl Exit {
    /// The code of a child that ended with this status; unknown codes mean that it broke off.
    pub(crate) fn from_code(code: i32) -> Self {
        let all = [
            Self::Pass,
            Self::Fail,
            Self::Inconclusive,
            Self::Mistakes,
            Self::NotUp,
            Self::BrokeOff,
            Self::Usage,
            Self::Interrupted,
        ];
        all.into_iter().find(|exit| i32::from(*exit as u8) == code).unwrap_or(Self::BrokeOff)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
