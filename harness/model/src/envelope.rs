//! The first 56 bytes of every payload: they say which reading this is, wherever it is found again.
//!
//! Little endian: `magic u16, version u8, flags u8, run u64, asset u32, stream u16, boot u16, attempt u16, len u16, seq u64,
//! t_gen_us i64, device_time_us i64, reserved u32, crc32c u32`. `len` is the length of the filler behind it and the checksum covers
//! everything but itself, filler included, so that a payload cut short or mixed up is seen.

use crate::{Identity, Micros};

pub const LENGTH: usize = 56;
const MAGIC: u16 = 0x7764;
const VERSION: u8 = 1;
const CRC_AT: usize = LENGTH - 4;
const STORED: u8 = 1;
const RETRY: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    pub run: u64,
    pub identity: Identity,
    /// From 1.
    pub attempt: u16,
    /// Replayed from the asset's recorder.
    pub stored: bool,
    /// Intended generation.
    pub generated: Micros,
    /// What the asset's own clock says: data under test, never used for measuring.
    pub device_time: Micros,
}

/// Why bytes are not an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    TooShort,
    /// Something else wrote this.
    Foreign,
    /// An envelope, but the checksum does not hold.
    Corrupt(Envelope),
}

impl Envelope {
    /// Appends the envelope and `filler` bytes behind it. The filler is a pure function of the identity.
    /// Payloads longer than 65 535 + 56 bytes are cut to that.
    pub fn write(&self, filler: usize, out: &mut Vec<u8>) {
        let start = out.len();
        let filler = filler.min(usize::from(u16::MAX));
        let flags = u8::from(self.stored) * STORED + u8::from(self.attempt > 1) * RETRY;
        out.extend(MAGIC.to_le_bytes());
        out.extend([VERSION, flags]);
        out.extend(self.run.to_le_bytes());
        out.extend(self.identity.asset.to_le_bytes());
        out.extend(self.identity.stream.to_le_bytes());
        out.extend(self.identity.boot.to_le_bytes());
        out.extend(self.attempt.to_le_bytes());
        out.extend(u16::try_from(filler).expect("cut to u16 above").to_le_bytes());
        out.extend(self.identity.seq.to_le_bytes());
        out.extend(self.generated.0.to_le_bytes());
        out.extend(self.device_time.0.to_le_bytes());
        out.resize(start + LENGTH, 0);
        let first = self.identity.seq as u8 ^ self.identity.asset as u8;
        out.extend((0..filler).map(|i| first.wrapping_add(i as u8)));
        let crc = checksum(&out[start..]);
        out[start + CRC_AT..start + LENGTH].copy_from_slice(&crc.to_le_bytes());
    }

    /// Reads the envelope at the start of a payload.
    pub fn read(payload: &[u8]) -> Result<Self, Unreadable> {
        if payload.len() < LENGTH {
            return Err(Unreadable::TooShort);
        }
        if payload[..2] != MAGIC.to_le_bytes() || payload[2] != VERSION {
            return Err(Unreadable::Foreign);
        }
        let envelope = Self {
            run: u64::from_le_bytes(bytes(payload, 4)),
            identity: Identity {
                asset: u32::from_le_bytes(bytes(payload, 12)),
                stream: u16::from_le_bytes(bytes(payload, 16)),
                boot: u16::from_le_bytes(bytes(payload, 18)),
                seq: u64::from_le_bytes(bytes(payload, 24)),
            },
            attempt: u16::from_le_bytes(bytes(payload, 20)),
            stored: payload[3] & STORED != 0,
            generated: Micros(i64::from_le_bytes(bytes(payload, 32))),
            device_time: Micros(i64::from_le_bytes(bytes(payload, 40))),
        };
        let whole = payload.len() == LENGTH + usize::from(u16::from_le_bytes(bytes(payload, 22)));
        let intact = whole && u32::from_le_bytes(bytes(payload, CRC_AT)) == checksum(payload);
        if intact { Ok(envelope) } else { Err(Unreadable::Corrupt(envelope)) }
    }
}

fn bytes<const N: usize>(payload: &[u8], at: usize) -> [u8; N] {
    payload[at..at + N].try_into().expect("the length was checked against LENGTH")
}

/// Of everything but the four bytes of the checksum itself.
fn checksum(payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&payload[..CRC_AT]), &payload[LENGTH..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Envelope {
        let identity = Identity { asset: 7, stream: 1, boot: 2, seq: 99 };
        Envelope {
            run: 5,
            identity,
            attempt: 3,
            stored: true,
            generated: Micros(1_500_000),
            device_time: Micros(-4),
        }
    }

    #[test]
    fn reads_back_what_it_wrote() {
        for filler in [0, 1, 200, 70_000] {
            let mut payload = vec![];
            sample().write(filler, &mut payload);
            assert_eq!(Envelope::read(&payload), Ok(sample()));
        }
    }

    #[test]
    fn every_changed_byte_is_seen() {
        let mut payload = vec![];
        sample().write(20, &mut payload);
        for at in 0..payload.len() {
            let mut broken = payload.clone();
            broken[at] ^= 0x10;
            assert!(Envelope::read(&broken).is_err(), "byte {at}");
        }
        for cut in 0..payload.len() {
            assert!(Envelope::read(&payload[..cut]).is_err(), "cut at {cut}");
        }
    }
}
