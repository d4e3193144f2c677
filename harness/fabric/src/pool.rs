//! Buffers of waiting packets, used again: two sizes, so that a short packet never holds 64 KiB.

const SMALL_BYTES: usize = 2_048;
const SMALL_KEPT: usize = 8_192;
const LARGE_KEPT: usize = 128;

#[derive(Debug, Default)]
pub(crate) struct Pool {
    small: Vec<Vec<u8>>,
    large: Vec<Vec<u8>>,
}

impl Pool {
    pub(crate) fn copy_of(&mut self, frame: &[u8]) -> Vec<u8> {
        let kept = if frame.len() <= SMALL_BYTES { &mut self.small } else { &mut self.large };
        let mut buffer = kept.pop().unwrap_or_else(|| Vec::with_capacity(frame.len().max(SMALL_BYTES)));
        buffer.clear();
        buffer.extend_from_slice(frame);
        buffer
    }

    pub(crate) fn give_back(&mut self, buffer: Vec<u8>) {
        let (kept, most) = if buffer.capacity() <= SMALL_BYTES { (&mut self.small, SMALL_KEPT) } else { (&mut self.large, LARGE_KEPT) };
        if kept.len() < most {
            kept.push(buffer);
        }
    }
}
