use std::{
    io,
    net::Ipv4Addr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_rustls::TlsAcceptor;

use super::{
    Connector, Credentials, Identity, Keyring, Secured, cause,
    keyring::{Authority, Validity},
};

const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;

fn accepts(server: &Identity, clients_of: Option<&Authority>) -> TlsAcceptor {
    let provider = Arc::new(ring::default_provider());
    let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).expect("one of ours");
    let building = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("both are there");
    let building = match clients_of {
        None => building.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(der(authority.certificate.reveal())).expect("one of ours");
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            building.with_client_cert_verifier(verifier.expect("it has a root"))
        }
    };
    let key = PrivateKeyDer::from_pem_slice(server.key.reveal().as_bytes()).expect("one of ours");
    let chain = vec![der(server.certificate.reveal())];
    let config = building.with_single_cert(chain, key).expect("they belong together");
    TlsAcceptor::from(Arc::new(config))
}

/// Says a word to the server and waits for it to come back: a server that refuses a client says so only then.
async fn echo(client: Connector, server: TlsAcceptor) -> io::Result<String> {
    let (ours, theirs) = duplex(64 << 10);
    let serving = async {
        let mut stream = server.accept(theirs).await?;
        let mut word = [0; 4];
        stream.read_exact(&mut word).await?;
        stream.write_all(&word).await?;
        stream.flush().await
    };
    let asking = async {
        let mut stream = client.connect(ours, HERE.into()).await?;
        stream.write_all(b"word").await?;
        stream.flush().await?;
        let mut word = String::new();
        (&mut stream).take(4).read_to_string(&mut word).await?;
        Ok(word)
    };
    let (_, answered) = tokio::join!(serving, asking);
    answered
}

fn why(echoed: io::Result<String>) -> &'static str {
    let error = echoed.expect_err("the other side is not believed");
    cause(&error).unwrap_or_else(|| panic!("no name for {error:?}"))
}

fn of_here(authority: &Authority) -> Identity {
    authority.sign("here", &[HERE.to_string(), "here".to_owned()], Validity::now())
}

fn client(authority: &Authority, own: Option<&Identity>, name: Option<&str>) -> Connector {
    Connector::new(&authority.certificate, own, name).expect("one of ours")
}

#[tokio::test]
async fn a_server_is_believed_by_its_authority_its_name_and_its_date() {
    let (ours, other) = (Authority::new(), Authority::new());
    let server = || accepts(&of_here(&ours), None);
    assert_eq!(echo(client(&ours, None, None), server()).await.ok().as_deref(), Some("word"));
    let named = client(&ours, None, Some("here"));
    assert_eq!(echo(named, server()).await.ok().as_deref(), Some("word"));

    let wrong_ca = echo(client(&other, None, None), server()).await;
    assert_eq!(why(wrong_ca), "the server's certificate was not signed by the given `ca`");
    let wrong_name = echo(client(&ours, None, Some("there")), server()).await;
    assert_eq!(why(wrong_name), "the server's certificate is for another name");
    let ended = SystemTime::now() - Duration::from_secs(3_600);
    let old = Validity { from: ended - Duration::from_secs(3_600), until: ended };
    let old = ours.sign("here", &[HERE.to_string()], old);
    let expired = echo(client(&ours, None, None), accepts(&old, None)).await;
    assert_eq!(why(expired), "the server's certificate has expired");
}

#[tokio::test]
async fn a_server_that_asks_who_connects_is_told_or_named_in_the_refusal() {
    let (ours, other) = (Authority::new(), Authority::new());
    let server = || accepts(&of_here(&ours), Some(&ours));
    let own = ours.sign("fleet", &[], Validity::now());
    let known = client(&ours, Some(&own), None);
    assert_eq!(echo(known, server()).await.ok().as_deref(), Some("word"));
    let nobody = echo(client(&ours, None, None), server()).await;
    assert_eq!(why(nobody), "the server wants the client's certificate");
    let stranger = other.sign("fleet", &[], Validity::now());
    let stranger = echo(client(&ours, Some(&stranger), None), server()).await;
    assert_eq!(why(stranger), "the server does not accept the client's certificate");
}

#[tokio::test]
async fn a_server_in_the_clear_is_named() {
    let ours = Authority::new();
    let (near, mut far) = duplex(64 << 10);
    far.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("somebody reads");
    let refused = client(&ours, None, None).connect(near, HERE.into()).await;
    let error = refused.expect_err("that was no handshake");
    assert_eq!(cause(&error), Some("the server does not speak TLS here"));
}

fn secured(yaml: &str) -> Secured {
    serde_json::from_str(yaml).expect("it is written well")
}

#[tokio::test]
async fn what_is_made_for_a_run_fits_together_and_is_shown_nowhere() {
    let keyring = Keyring::default();
    let (service, node) = ("log".into(), "log-west-1".into());
    assert!(keyring.client(&service).ca.is_none(), "nothing is secured yet");
    assert_eq!(keyring.server(&service, &node, HERE.into()).key.reveal(), "");
    let how = secured(r#"{"tls": "mutual", "user": "fleet"}"#);
    keyring.secure(&service, &how).expect("it names no secret");
    let keys = keyring.server(&service, &node, HERE.into());
    assert_eq!(keys.key, keyring.server(&service, &node, HERE.into()).key, "made once");
    let material = keyring.client(&service);
    let password = material.login.clone().and_then(|login| login.password).expect("one was made");
    assert_eq!(password.reveal().len(), 32);
    for shown in [format!("{keyring:?} {keys:?} {material:?}"), format!("{how:?}")] {
        assert!(!shown.contains(password.reveal()) && !shown.contains("PRIVATE"), "{shown}");
    }
    let access = Credentials::default().open(material).expect("it is ours");
    assert!(!format!("{access:?}").contains(password.reveal()));
    let own = Identity { certificate: keys.certificate, key: keys.key };
    let authority = Authority::new();
    let tls = access.tls.expect("there is a `ca`");
    let refused = echo(tls.clone(), accepts(&own, Some(&authority))).await;
    assert_eq!(why(refused), "the server does not accept the client's certificate");
    assert_eq!(echo(tls, accepts(&own, None)).await.ok().as_deref(), Some("word"));
}

#[test]
fn what_secures_nothing_and_what_belongs_together_is_told() {
    for (written, said) in [
        (r#"{"tls": "none"}"#, "nothing would be secured"),
        (r#"{"user": "a b"}"#, "no plain name"),
        (r#"{"password": {"env": "HOME"}}"#, "nobody who has it"),
    ] {
        let why = serde_json::from_str::<Secured>(written).expect_err(written).to_string();
        assert!(why.contains(said), "{why}");
    }
    let material = || Keyring::default().client(&"log".into());
    for (written, said) in [
        (r#"{"password": {"env": "PATH"}}"#, "no `user`"),
        (r#"{"tls": {}}"#, "no `ca`"),
        (r#"{"tls": {"ca": {"env": "PATH"}}}"#, "holds no"),
        (r#"{"user": "a", "password": {"env": "WETDRESS_NO_SUCH_VARIABLE"}}"#, "is not set"),
    ] {
        let credentials: Credentials = serde_json::from_str(written).expect("well written");
        let why = credentials.open(material()).expect_err(written).to_string();
        assert!(why.contains(said), "{why}");
    }
}
