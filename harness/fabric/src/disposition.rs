//! What the flight recorder notes about a packet: one word.

use model::CutForm;

/// What became of a packet, as far as the switch knew when it met it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Disposition {
    /// Handed on at once.
    Passed,
    /// Admitted to the delay queue. Where a later cut drops it there, this is what stays noted.
    Waiting,
    /// Dropped by a cut.
    Cut,
    /// Dropped, and the sender was told.
    Rejected,
    Jammed,
    Lost,
    /// Handed on with a flipped bit.
    Corrupted,
    /// A copy that the link made.
    Duplicated,
    /// Did not fit into the queue of a rate, or into the fabric's own bound.
    Overflow,
    TooBig,
    /// The far end has no device, or it refused the packet.
    Undelivered,
    /// The link had no contact.
    Dark,
}

impl Disposition {
    pub(crate) const ALL: [Self; 12] = [
        Self::Passed,
        Self::Waiting,
        Self::Cut,
        Self::Rejected,
        Self::Jammed,
        Self::Lost,
        Self::Corrupted,
        Self::Duplicated,
        Self::Overflow,
        Self::TooBig,
        Self::Undelivered,
        Self::Dark,
    ];

    pub(crate) fn of_cut(form: CutForm) -> Self {
        match form {
            CutForm::Drop => Self::Cut,
            CutForm::Reject => Self::Rejected,
            CutForm::Jam => Self::Jammed,
        }
    }

    /// In lower case, as capture files say it: `too big`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Waiting => "waiting",
            Self::Cut => "cut",
            Self::Rejected => "rejected",
            Self::Jammed => "jammed",
            Self::Lost => "lost",
            Self::Corrupted => "corrupted",
            Self::Duplicated => "duplicated",
            Self::Overflow => "overflow",
            Self::TooBig => "too big",
            Self::Undelivered => "undelivered",
            Self::Dark => "dark",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_note_keeps_its_number() {
        for (number, note) in Disposition::ALL.into_iter().enumerate() {
            assert_eq!(note as usize, number);
        }
    }
}
