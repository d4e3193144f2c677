//! A question to an Erlang node, over the protocol that such nodes speak with each other, as a hidden node that stays for one answer or a
//! few. It is how `rabbitmqctl` asks, without a virtual machine of its own.

use std::net::SocketAddr;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use md5::{Digest, Md5};
use seams::{Network, Origin, SystemError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    CALL_TIMEOUT,
    terms::{CREATION, NoTerm, Term, atom},
};

/// What this side can do, by the bits of the protocol: what Erlang 25 and 26 demand, and no more. Neither published (so it is hidden) nor
/// with atom caches or fragments (so every message is a plain one).
const CAN: u64 = 0x4 // references with several numbers
    | 0x10 // functions
    | 0x80 // and as they are today
    | 0x100 // processes with large numbers
    | 0x200 // functions by their name
    | 0x400 // bit strings
    | 0x800 // floats as eight bytes
    | 0x1_0000 // atoms in UTF-8
    | 0x2_0000 // maps
    | 0x4_0000 // creations of four bytes
    | 0x100_0000 // this handshake
    | 0x200_0000 // links that are told to be gone
    | 0x4_0000_0000; // processes of 64 bits
const PLAIN: u8 = 112;
/// A message to a process that is known by its name; one to a process.
const SEND_TO_NAME: i64 = 6;
const SEND: i64 = 2;
/// Answers are small: the states of a few queues.
const ANSWER_MAX: u32 = 4 << 20;

/// A connection to a node.
#[derive(Debug)]
pub(crate) struct Erlang {
    stream: TcpStream,
    to: SocketAddr,
    own: String,
}

type Why = Box<dyn std::error::Error + Send + Sync>;

impl Erlang {
    pub(crate) async fn open(
        network: &dyn Network,
        from: &Origin,
        to: SocketAddr,
        cookie: &str,
    ) -> Result<Self, SystemError> {
        let opening = async {
            let stream = network.tcp(from, to).await?;
            stream.set_nodelay(true)?;
            // Two connections of one name would be taken for one node that dials twice.
            let own = stream.local_addr()?;
            let own = format!("wetdress{}@{}", own.port(), own.ip());
            let mut node = Self { stream, to, own };
            node.shake_hands(cookie).await?;
            Ok(node)
        };
        answered(&format!("reach the Erlang node at {to}"), opening).await
    }

    /// Calls a function there, and waits for what it returns.
    pub(crate) async fn call(
        &mut self,
        module: &str,
        function: &str,
        arguments: Vec<Term>,
    ) -> Result<Term, SystemError> {
        let doing = format!("call {module}:{function} at {}", self.to);
        answered(&doing, self.called(module, function, arguments)).await
    }

    async fn called(
        &mut self,
        module: &str,
        function: &str,
        arguments: Vec<Term>,
    ) -> Result<Term, Why> {
        let own = || Term::Process(self.own.clone());
        let control = vec![Term::Number(SEND_TO_NAME), own(), atom(""), atom("rex")];
        let call =
            vec![atom("call"), atom(module), atom(function), Term::List(arguments), atom("user")];
        let message = vec![own(), Term::Tuple(call)];
        let mut out = BytesMut::new();
        out.put_u32(0);
        out.put_u8(PLAIN);
        Term::Tuple(control).put(&mut out);
        Term::Tuple(message).put(&mut out);
        let length = u32::try_from(out.len() - 4)?;
        out[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&out).await?;
        loop {
            if let Some(answer) = self.message().await? {
                return match answer.tuple() {
                    Some([reason, why]) if reason.name() == Some("badrpc") => {
                        Err(format!("{why:?}").into())
                    }
                    _ => Ok(answer),
                };
            }
        }
    }

    /// What `rex` answers; None for anything else that a node says.
    async fn message(&mut self) -> Result<Option<Term>, Why> {
        let length = self.stream.read_u32().await?;
        if length > ANSWER_MAX {
            return Err(format!("an answer of {length} bytes").into());
        }
        let mut bytes = vec![0; length as usize];
        self.stream.read_exact(&mut bytes).await?;
        let mut bytes = Bytes::from(bytes);
        // A tick is an empty message, and is answered by one.
        if bytes.is_empty() {
            self.stream.write_u32(0).await?;
            return Ok(None);
        }
        if bytes.get_u8() != PLAIN {
            return Err("the node does not speak as agreed".into());
        }
        let control = take(&mut bytes)?;
        if control.tuple().and_then(<[Term]>::first) != Some(&Term::Number(SEND)) {
            return Ok(None);
        }
        match take(&mut bytes)? {
            Term::Tuple(mut said) if said.len() == 2 && said[0].name() == Some("rex") => {
                Ok(said.pop())
            }
            _ => Ok(None),
        }
    }

    /// Both sides show that they know the cookie.
    async fn shake_hands(&mut self, cookie: &str) -> Result<(), Why> {
        let mut name = BytesMut::new();
        name.put_u8(b'N');
        name.put_u64(CAN);
        name.put_u32(CREATION);
        name.put_u16(self.own.len() as u16);
        name.put_slice(self.own.as_bytes());
        self.put_piece(&name).await?;
        let status = self.piece().await?;
        if !matches!(&status[..], b"sok" | b"sok_simultaneous") {
            return Err(format!("the node says {}", String::from_utf8_lossy(&status)).into());
        }
        let mut asked = self.piece().await?;
        if asked.len() < 13 || asked.get_u8() != b'N' {
            return Err("the node speaks another version of the protocol".into());
        }
        let _can = asked.get_u64();
        let theirs = asked.get_u32();
        // Nothing depends on it: the cookie is known to both sides, and this is no secret.
        let ours = u32::from(self.stream.local_addr()?.port());
        let mut reply = BytesMut::new();
        reply.put_u8(b'r');
        reply.put_u32(ours);
        reply.put_slice(&digest(cookie, theirs));
        self.put_piece(&reply).await?;
        let shown = self.piece().await?;
        if shown.first() == Some(&b'a') && shown[1..] == digest(cookie, ours) {
            return Ok(());
        }
        Err("the node has another cookie".into())
    }

    async fn put_piece(&mut self, piece: &[u8]) -> Result<(), Why> {
        let length = u16::try_from(piece.len())?.to_be_bytes();
        Ok(self.stream.write_all(&[&length[..], piece].concat()).await?)
    }

    async fn piece(&mut self) -> Result<Bytes, Why> {
        let mut bytes = vec![0; usize::from(self.stream.read_u16().await?)];
        self.stream.read_exact(&mut bytes).await?;
        Ok(bytes.into())
    }
}

fn take(from: &mut Bytes) -> Result<Term, Why> {
    Term::take(from).map_err(|NoTerm| "the answer holds what cannot be read".into())
}

fn digest(cookie: &str, challenge: u32) -> [u8; 16] {
    Md5::digest(format!("{cookie}{challenge}")).into()
}

async fn answered<T>(
    doing: &str,
    asked: impl Future<Output = Result<T, Why>>,
) -> Result<T, SystemError> {
    let failed = |why| SystemError::Answer { doing: doing.to_owned(), why };
    match timeout(CALL_TIMEOUT, asked).await {
        Ok(answer) => answer.map_err(|why| failed(why.to_string())),
        Err(_) => Err(failed(format!("no answer within {CALL_TIMEOUT:?}"))),
    }
}
