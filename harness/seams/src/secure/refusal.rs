//! Why one side of a connection does not believe the other.

use std::{error::Error, io};

use rustls::{AlertDescription, CertificateError};

/// What a server has against its client, or the client against the server or itself; a sentence for the report, without a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub &'static str);

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> Self {
        Self::new(io::ErrorKind::PermissionDenied, refusal)
    }
}

/// Why one side does not believe the other, in a sentence for the report; None where the failure is of another sort. A server that wants to know
/// who connects says so only when the client thinks that the handshake is over: the first answer brings the reason.
pub fn cause(error: &(dyn Error + 'static)) -> Option<&'static str> {
    // An error of I/O names the inner one as its source only from the second on.
    let inner = error
        .downcast_ref::<io::Error>()
        .and_then(|error| Some(error.get_ref()? as &(dyn Error + 'static)));
    let first = inner.unwrap_or(error);
    let refusal = first.downcast_ref::<Refusal>().map(|refusal| refusal.0);
    let found = refusal.or_else(|| first.downcast_ref::<rustls::Error>().map(of_rustls));
    found.or_else(|| cause(first.source()?))
}

fn of_rustls(error: &rustls::Error) -> &'static str {
    use rustls::Error::{AlertReceived, InvalidCertificate, InvalidMessage, NoApplicationProtocol};
    match error {
        InvalidCertificate(why) => match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the server's certificate has expired"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the server's certificate is not valid yet"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the server's certificate is for another name"
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "the server's certificate was not signed by the given `ca`"
            }
            CertificateError::Revoked => "the server's certificate was revoked",
            _ => "the server's certificate cannot be trusted",
        },
        AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired => "the server wants the client's certificate",
            AlertDescription::CertificateExpired => {
                "the server says that the client's certificate has expired"
            }
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::AccessDenied
            // Its own authority has the same name as ours.
            | AlertDescription::DecryptError => {
                "the server does not accept the client's certificate"
            }
            AlertDescription::NoApplicationProtocol => {
                "the server speaks none of the offered protocols"
            }
            _ => "the server broke off the TLS handshake",
        },
        NoApplicationProtocol => "the server speaks none of the offered protocols",
        InvalidMessage(_) => "the server does not speak TLS here",
        _ => "the TLS handshake failed",
    }
}
