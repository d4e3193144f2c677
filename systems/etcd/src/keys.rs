//! Where a reading lies: `wd/<run>/<asset>/<stream>/<boot>/<seq>/<attempt>`, the run in 16 hexadecimal digits, the rest decimal.
//!
//! Each attempt has a key of its own, so nothing is ever overwritten and a reading that was stored twice can be seen: as two keys when
//! the asset sent it again, as one key with `version` 2 when the system itself applied one attempt twice.

use std::fmt::Write;

use model::Identity;
use prost::bytes::{Bytes, BytesMut};

/// Memory that is taken at once for the keys that share it.
const BLOCK: usize = 16 << 10;

/// Writes the keys of a run, one behind the other in memory that they share.
#[derive(Debug)]
pub(crate) struct Keys {
    prefix: Vec<u8>,
    block: BytesMut,
}

impl Keys {
    pub(crate) fn of(run: u64) -> Self {
        Self { prefix: prefix(run), block: BytesMut::with_capacity(BLOCK) }
    }

    pub(crate) fn key(&mut self, identity: &Identity, attempt: u16) -> Bytes {
        let Identity { asset, stream, boot, seq } = identity;
        self.block.extend_from_slice(&self.prefix);
        write!(self.block, "{asset}/{stream}/{boot}/{seq}/{attempt}")
            .expect("there is room for as much as memory has");
        self.block.split().freeze()
    }
}

/// All keys of a run begin with this.
pub(crate) fn prefix(run: u64) -> Vec<u8> {
    format!("wd/{run:016x}/").into_bytes()
}

/// The first key behind all that begin with the prefix of a run.
pub(crate) fn end(run: u64) -> Vec<u8> {
    let mut end = prefix(run);
    *end.last_mut().expect("a prefix is never empty") += 1;
    end
}

/// Whose reading a key of this run holds; None for a key that no driver of ours wrote.
pub(crate) fn identity(run: u64, key: &[u8]) -> Option<Identity> {
    let rest = std::str::from_utf8(key.strip_prefix(prefix(run).as_slice())?).ok()?;
    let mut parts = rest.split('/');
    let identity = Identity {
        asset: parts.next()?.parse().ok()?,
        stream: parts.next()?.parse().ok()?,
        boot: parts.next()?.parse().ok()?,
        seq: parts.next()?.parse().ok()?,
    };
    let _attempt: u16 = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some(identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: Identity = Identity { asset: 70_000, stream: 3, boot: 2, seq: u64::MAX };

    #[test]
    fn a_key_names_its_reading() {
        let mut keys = Keys::of(5);
        let (key, next) = (keys.key(&IDENTITY, 9), keys.key(&IDENTITY, 10));
        assert_eq!(key, "wd/0000000000000005/70000/3/2/18446744073709551615/9");
        assert_eq!(identity(5, &key), Some(IDENTITY));
        assert!(key[..] > *prefix(5) && key[..] < *end(5));
        assert_eq!(next, "wd/0000000000000005/70000/3/2/18446744073709551615/10");
    }

    #[test]
    fn keys_go_on_in_another_block() {
        let mut keys = Keys::of(5);
        let kept: Vec<Bytes> = (0..1000).map(|attempt| keys.key(&IDENTITY, attempt)).collect();
        let whole = |key: &Bytes| identity(5, key) == Some(IDENTITY);
        assert!(kept.iter().all(whole));
    }

    #[test]
    fn foreign_keys_name_nobody() {
        for foreign in [
            "wd/0000000000000005/1/2/3/4",
            "wd/0000000000000005/1/2/3/4/5/6",
            "wd/0000000000000005/x/2/3/4/5",
            "service/leader",
        ] {
            assert_eq!(identity(5, foreign.as_bytes()), None, "{foreign}");
        }
        assert_eq!(identity(6, &Keys::of(5).key(&IDENTITY, 1)), None, "another run");
    }
}
