//! SCRAM as a client speaks it (RFC 5802, RFC 7677), without channel binding. Bytes in, bytes out; the wire is somebody else's.

use std::{
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::{
    digest, hmac, pbkdf2,
    rand::{SecureRandom, SystemRandom},
};

/// More rounds than this would hold up the asset that connects; Kafka's own default is 4096.
const ROUNDS_MAX: u32 = 1 << 20;
/// The header of a client that binds nothing, `n,,`, in base64.
const UNBOUND: &str = "c=biws";

/// Which hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }

    fn derive(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }
}

/// The password after its many rounds of hashing. The same salt and rounds come with every connection, so it is kept.
#[derive(Default)]
pub(crate) struct Salted(Mutex<Option<Kept>>);

struct Kept {
    hash: Hash,
    password: String,
    salt: Vec<u8>,
    rounds: NonZeroU32,
    salted: Vec<u8>,
}

impl std::fmt::Debug for Salted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(hidden)")
    }
}

impl Salted {
    fn of(&self, hash: Hash, password: &str, salt: &[u8], rounds: NonZeroU32) -> Vec<u8> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = &*kept
            && (kept.hash, kept.rounds) == (hash, rounds)
            && (kept.password.as_str(), kept.salt.as_slice()) == (password, salt)
        {
            return kept.salted.clone();
        }
        let mut salted = vec![0; hash.hmac().digest_algorithm().output_len()];
        // Passwords that are not prepared as RFC 4013 has it are refused by the server, as wrong ones.
        let prepared = stringprep::saslprep(password).unwrap_or(password.into());
        pbkdf2::derive(hash.derive(), rounds, salt, prepared.as_bytes(), &mut salted);
        let (password, salt) = (password.to_owned(), salt.to_vec());
        *kept = Some(Kept { hash, password, salt, rounds, salted: salted.clone() });
        salted
    }
}

/// A conversation that the client has begun.
pub(crate) struct Scram {
    hash: Hash,
    /// The first message without its header.
    first: String,
    nonce: String,
}

/// What the server must say in the end, if it knows the password too.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expected(Vec<u8>);

/// The server said something else than SCRAM has at this place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Foreign;

impl Scram {
    pub(crate) fn new(hash: Hash, user: &str) -> Self {
        let mut bytes = [0; 18];
        SystemRandom::new().fill(&mut bytes).expect("the system has randomness");
        Self::with_nonce(hash, user, BASE64_STANDARD.encode(bytes))
    }

    fn with_nonce(hash: Hash, user: &str, nonce: String) -> Self {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        Self { hash, first: format!("n={user},r={nonce}"), nonce }
    }

    pub(crate) fn first(&self) -> String {
        format!("n,,{}", self.first)
    }

    /// The answer to the server's first message.
    pub(crate) fn last(
        &self,
        said: &str,
        password: &str,
        kept: &Salted,
    ) -> Result<(String, Expected), Foreign> {
        let field = |name: &str| said.split(',').find_map(|field| field.strip_prefix(name));
        let nonce = field("r=").filter(|nonce| nonce.starts_with(&self.nonce)).ok_or(Foreign)?;
        let salt = BASE64_STANDARD.decode(field("s=").ok_or(Foreign)?).map_err(|_| Foreign)?;
        let rounds = field("i=").and_then(|rounds| rounds.parse().ok());
        let rounds = rounds.filter(|rounds: &NonZeroU32| rounds.get() <= ROUNDS_MAX);
        let salted = kept.of(self.hash, password, &salt, rounds.ok_or(Foreign)?);
        let sign = |key: &[u8], text: &[u8]| {
            hmac::sign(&hmac::Key::new(self.hash.hmac(), key), text).as_ref().to_vec()
        };
        let without_proof = format!("{UNBOUND},r={nonce}");
        let all = format!("{},{said},{without_proof}", self.first);
        let client_key = sign(&salted, b"Client Key");
        let stored_key = digest::digest(self.hash.hmac().digest_algorithm(), &client_key);
        let signature = sign(stored_key.as_ref(), all.as_bytes());
        let proof: Vec<u8> =
            client_key.iter().zip(signature).map(|(key, sign)| key ^ sign).collect();
        let expected = Expected(sign(&sign(&salted, b"Server Key"), all.as_bytes()));
        Ok((format!("{without_proof},p={}", BASE64_STANDARD.encode(proof)), expected))
    }
}

impl Expected {
    /// Whether the server's last message proves that it knows the password.
    pub(crate) fn is(&self, said: &str) -> bool {
        let signature = said.split(',').find_map(|field| field.strip_prefix("v="));
        let signature = signature.and_then(|text| BASE64_STANDARD.decode(text).ok());
        signature.as_ref() == Some(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7677_comes_out() {
        let scram = Scram::with_nonce(Hash::Sha256, "user", "rOprNGfwEbeRWgbNEkqO".to_owned());
        assert_eq!(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let said = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let kept = Salted::default();
        for _again in 0..2 {
            let (last, expected) = scram.last(said, "pencil", &kept).expect("it is SCRAM");
            assert_eq!(
                last,
                "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
            );
            assert!(expected.is("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
            assert!(!expected.is("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5="));
        }
        let (other, _) = scram.last(said, "pen", &kept).expect("it is SCRAM");
        assert!(!other.contains("dHzbZ"), "another password, another proof");
    }

    #[test]
    fn what_is_no_scram_is_refused() {
        let scram = Scram::with_nonce(Hash::Sha512, "a=b,c", "abc".to_owned());
        assert_eq!(scram.first(), "n,,n=a=3Db=2Cc,r=abc");
        for said in [
            "",
            "e=other-error",
            "r=xyz,s=W22Z,i=4096",
            "r=abcd,s=W22Z,i=0",
            "r=abcd,s=W22Z,i=99999999",
            "r=abcd,s=?,i=4096",
        ] {
            assert_eq!(
                scram.last(said, "pencil", &Salted::default()).err(),
                Some(Foreign),
                "{said}"
            );
        }
    }
}
