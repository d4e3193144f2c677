//! Moments that may not be.

use std::fmt;

use model::Micros;

/// A moment, or none, in eight bytes: an `Option` takes sixteen, and there are two in each of a million connections.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct MaybeAt(i64);

impl MaybeAt {
    pub(crate) const NEVER: Self = Self(i64::MIN);

    pub(crate) fn get(self) -> Option<Micros> {
        (self != Self::NEVER).then_some(Micros(self.0))
    }

    pub(crate) fn take(&mut self) -> Option<Micros> {
        std::mem::replace(self, Self::NEVER).get()
    }
}

impl Default for MaybeAt {
    fn default() -> Self {
        Self::NEVER
    }
}

impl From<Micros> for MaybeAt {
    fn from(at: Micros) -> Self {
        Self(at.0)
    }
}

impl fmt::Debug for MaybeAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}
