//! What is kept of a payload.

use model::{Identity, Micros, Sighting};

/// The bytes are a function of the identity, so that is what is kept: who it is, how large it was, and whether it held its own
/// checksum when it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    identity: Identity,
    pub(crate) generated: Micros,
    bytes: u32,
    intact: bool,
}

impl Written {
    /// None for what is no reading.
    pub(crate) fn of(payload: &[u8]) -> Option<Self> {
        use model::envelope::{Envelope, Unreadable};
        let (envelope, intact) = match Envelope::read(payload) {
            Ok(envelope) => (envelope, true),
            Err(Unreadable::Corrupt(envelope)) => (envelope, false),
            Err(Unreadable::TooShort | Unreadable::Foreign) => return None,
        };
        let bytes = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        Some(Self { identity: envelope.identity, generated: envelope.generated, bytes, intact })
    }

    pub(crate) fn len(self) -> usize {
        self.bytes as usize
    }

    /// What an observer is shown of it.
    pub(crate) fn sighting(self, position: u64) -> Sighting {
        let Self { identity, intact, .. } = self;
        Sighting { identity, at: Micros::ZERO, position: Some(position), intact }
    }
}
