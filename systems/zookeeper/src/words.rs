//! The four-letter words that a server answers, asked from inside its own node.

use std::net::SocketAddr;

use seams::{Network, Origin, SystemError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::CALL_TIMEOUT;

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) version: String,
    pub(crate) leads: bool,
    /// The upper half of its newest transaction's number.
    pub(crate) epoch: u64,
}

/// `srvr`: an error of a server that looks for a leader, too.
pub(crate) async fn standing(
    network: &dyn Network,
    from: &Origin,
    to: SocketAddr,
) -> Result<Standing, SystemError> {
    let said = word(network, from, to, "srvr").await?;
    read(&said).ok_or_else(|| SystemError::Answer {
        doing: format!("ask {to} for its role"),
        why: said.trim().to_owned(),
    })
}

/// `mntr`: how many followers have what the leader has; None where the server does not lead.
pub(crate) async fn synced_followers(
    network: &dyn Network,
    from: &Origin,
    to: SocketAddr,
) -> Result<Option<usize>, SystemError> {
    let said = word(network, from, to, "mntr").await?;
    let value = said.lines().find_map(|line| line.strip_prefix("zk_synced_followers\t"));
    // A number with a fraction, since all of them are.
    Ok(value.and_then(|value| value.split('.').next()?.trim().parse().ok()))
}

fn read(said: &str) -> Option<Standing> {
    let value = |key: &str| said.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    let version = value("Zookeeper version:")?;
    let transaction = value("Zxid:")?.strip_prefix("0x")?;
    Some(Standing {
        version: version.split(['-', ',']).next()?.to_owned(),
        leads: match value("Mode:")? {
            "leader" => true,
            "follower" => false,
            _ => return None,
        },
        epoch: u64::from_str_radix(transaction, 16).ok()? >> 32,
    })
}

/// The server ends its answer by closing.
async fn word(
    network: &dyn Network,
    from: &Origin,
    to: SocketAddr,
    word: &str,
) -> Result<String, SystemError> {
    let doing = format!("ask {to} for {word}");
    let asking = async {
        let mut stream = network.tcp(from, to).await?;
        stream.write_all(word.as_bytes()).await?;
        let mut said = String::new();
        stream.read_to_string(&mut said).await.map(|_| said)
    };
    match timeout(CALL_TIMEOUT, asking).await {
        Ok(Ok(said)) => Ok(said),
        Ok(Err(source)) => Err(SystemError::Io { doing, source }),
        Err(_) => {
            Err(SystemError::Answer { doing, why: format!("no answer within {CALL_TIMEOUT:?}") })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_what_it_is() {
        let said = |mode: &str| {
            format!(
                "Zookeeper version: 3.8.0-${{mvngit.commit.id}}, built on 2024-12-29 17:54 UTC\nLatency min/avg/max: 0/0.0/0\n\
                 Outstanding: 0\nZxid: 0x300000017\nMode: {mode}\nNode count: 5\n"
            )
        };
        let standing = |leads| Some(Standing { version: "3.8.0".to_owned(), leads, epoch: 3 });
        assert_eq!(read(&said("leader")), standing(true));
        assert_eq!(read(&said("follower")), standing(false));
        assert_eq!(read(&said("standalone")), None);
        assert_eq!(read("This ZooKeeper instance is not currently serving requests\n"), None);
    }
}
