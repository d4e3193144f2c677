//! A reading as a sink gives it back, known to the server and to the observer alike.

use model::Identity;

/// Where a reading lies, in the answer to its request.
pub(crate) const POSITION: &str = "wetdress-position";
/// Up to where everything was shown, in the answer to a question for readings.
pub(crate) const PASSED: &str = "wetdress-passed";
/// Up to where readings are missing there.
pub(crate) const FORGOTTEN: &str = "wetdress-forgotten";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) position: u64,
    pub(crate) run: u64,
    pub(crate) identity: Identity,
    pub(crate) attempt: u16,
}

/// Bytes of one in an answer, little endian: `position u64, run u64, asset u32, stream u16, boot u16, seq u64, attempt u16`, 6 zero bytes.
const LENGTH: usize = 40;

impl Reading {
    pub(crate) fn write_all(readings: &[Self]) -> Vec<u8> {
        let mut out = Vec::with_capacity(readings.len() * LENGTH);
        for Self { position, run, identity, attempt } in readings {
            let Identity { asset, stream, boot, seq } = identity;
            out.extend(position.to_le_bytes());
            out.extend(run.to_le_bytes());
            out.extend(asset.to_le_bytes());
            out.extend(stream.to_le_bytes());
            out.extend(boot.to_le_bytes());
            out.extend(seq.to_le_bytes());
            out.extend(attempt.to_le_bytes());
            out.extend([0; 6]);
        }
        out
    }

    /// None where the bytes end within a reading.
    pub(crate) fn read_all(bytes: &[u8]) -> Option<Vec<Self>> {
        let (readings, rest) = bytes.as_chunks::<LENGTH>();
        rest.is_empty().then(|| readings.iter().map(Self::read).collect())
    }

    fn read(bytes: &[u8; LENGTH]) -> Self {
        Self {
            position: u64::from_le_bytes(part(bytes, 0)),
            run: u64::from_le_bytes(part(bytes, 8)),
            identity: Identity {
                asset: u32::from_le_bytes(part(bytes, 16)),
                stream: u16::from_le_bytes(part(bytes, 20)),
                boot: u16::from_le_bytes(part(bytes, 22)),
                seq: u64::from_le_bytes(part(bytes, 24)),
            },
            attempt: u16::from_le_bytes(part(bytes, 32)),
        }
    }
}

fn part<const N: usize>(bytes: &[u8; LENGTH], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("every part lies within a reading")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_half_a_reading_is_none() {
        let identity = Identity { asset: 70_000, stream: 3, boot: 2, seq: u64::MAX };
        let one = Reading { position: 5, run: 6, identity, attempt: 7 };
        let all = [one, Reading { position: 9, ..one }];
        let bytes = Reading::write_all(&all);
        assert_eq!(Reading::read_all(&bytes).as_deref(), Some(&all[..]));
        assert_eq!(Reading::read_all(&bytes[1..]), None);
    }
}
