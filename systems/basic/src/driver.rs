//! The driver: POSTs readings over HTTP/1.1 or HTTP/2, one connection for each that the fleet asks for.

use std::{rc::Rc, sync::Arc};

use document::{Complaint, within::Within};
use schemars::JsonSchema;
use seams::{Clock, Driver, Lane, Network, SessionLane, Site};
use serde::{Deserialize, Serialize};

use crate::{http1::Http1Lane, http2::Http2Dial, verdict::Verdict};

/// POSTs each reading to a node of the service in the region that the fleet picked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Settings")]
pub struct HttpDriver(Settings);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// What is spoken, without TLS: `http2` with prior knowledge.
    version: HttpVersion,
    /// Where readings are posted to.
    path: String,
    /// Statuses by which this server promises that it has stored nothing, such as `[503]`, beside those that always do.
    refused: Vec<Within<u16, 300, 599>>,
}

/// The versions that are spoken. Words, since `1.1` would be a number in YAML, and `2` another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum HttpVersion {
    /// HTTP/1.1: one request at a time on a connection.
    #[default]
    Http1,
    /// HTTP/2: as many as the server allows.
    Http2,
}

impl Default for Settings {
    fn default() -> Self {
        Self { version: HttpVersion::Http1, path: "/readings".into(), refused: vec![] }
    }
}

impl TryFrom<Settings> for HttpDriver {
    type Error = Complaint;

    fn try_from(settings: Settings) -> Result<Self, Complaint> {
        let path = &settings.path;
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        if !path.starts_with('/') || !path.bytes().all(plain) {
            return Err(Complaint::new("range", format!("`{path}` is no path of a server")).help(
                "Begin it with `/`, and write only visible ASCII without `#`, such as `/readings`",
            ));
        }
        Ok(Self(settings))
    }
}

impl HttpDriver {
    pub(crate) fn to(self, site: &Site) -> Arc<dyn Driver> {
        Arc::new(Sender { params: self.0, site: site.clone() })
    }
}

#[derive(Debug)]
struct Sender {
    params: Settings,
    site: Site,
}

impl Driver for Sender {
    fn policy(&self) -> String {
        let how = match self.params.version {
            HttpVersion::Http1 => {
                "HTTP/1.1, one request at a time on a connection, no pipelining: a reading waits on its asset until the answer to the one \
                 before has come. Behind an answer that the fleet has given up readings wait in the connection, where their own deadlines run."
            }
            HttpVersion::Http2 => {
                "HTTP/2 with prior knowledge, a stream for each reading; beyond the server's limit of streams readings wait in their connection."
            }
        };
        let refused: Vec<String> =
            self.params.refused.iter().map(|status| format!(", {}", **status)).collect();
        format!(
            "{how} Each connection that the fleet asks for is one of TCP, from the address of its first asset to a node of the region it \
             wants, the next one there after each try; it stands when the node's kernel has accepted it. No retry, no balancing, no \
             reconnect by itself, and no redirect is followed. Acked is a 2xx whose body was read to its end (a body without a length ends \
             with its connection). Refused is 307, 308, 4xx but 408 and 499, 501, 505, 511{}, and a request of which no byte has left. \
             Unknown is any other answer, such as 500, 502, 503 and 504, which may follow a write; an answer cut short; and a \
             connection that ends under a request.",
            refused.concat()
        )
    }

    fn lane(&self, network: Arc<dyn Network>, clock: Clock) -> Box<dyn Lane> {
        let (site, path) = (self.site.clone(), self.params.path.clone());
        let verdict = Verdict::new(self.params.refused.iter().map(|status| **status));
        match self.params.version {
            HttpVersion::Http1 => Box::new(Http1Lane::new(site, network, clock, verdict, path)),
            HttpVersion::Http2 => {
                let (verdict, silent) = (Rc::new(verdict), Rc::default());
                let dial = Http2Dial { site, network, clock: clock.clone(), verdict, path, silent };
                Box::new(SessionLane::new(dial, clock))
            }
        }
    }
}
