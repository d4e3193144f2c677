//! Certificates and passwords that are made for one run. They are in memory, and in those files of the lab that vanish with it; no plan and
//! no record holds them.

use std::{
    collections::BTreeMap,
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use model::{NodeId, ServiceId};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::crypto::ring;

use super::{
    access::{Login, Material},
    secret::{Hidden, SecretError},
    secured::{Secured, ServerTls},
    tls::Identity,
};

/// Nodes may believe that it is an earlier or a later day.
const DAY: Duration = Duration::from_secs(24 * 3_600);
const VALID: Duration = Duration::from_secs(30 * 24 * 3_600);

/// What was made for the services of one run; empty before one. Clones share it.
#[derive(Clone, Default)]
pub struct Keyring(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    authority: Option<Authority>,
    services: BTreeMap<ServiceId, Made>,
}

struct Made {
    tls: ServerTls,
    login: Option<Login>,
    servers: BTreeMap<NodeId, Identity>,
    client: Option<Identity>,
}

/// What a server has: its certificate with its key, and the authority that clients and servers are signed by. All PEM; empty texts where nothing
/// was made, as in a plan that is only looked at.
#[derive(Clone, Debug, Default)]
pub struct ServerKeys {
    pub ca: Hidden,
    pub certificate: Hidden,
    pub key: Hidden,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").finish_non_exhaustive()
    }
}

impl Keyring {
    /// From now on the service has what it is secured with.
    ///
    /// # Errors
    /// Its password cannot be read.
    pub fn secure(&self, service: &ServiceId, secured: &Secured) -> Result<(), SecretError> {
        let login = match secured.user() {
            None => None,
            Some(user) => {
                let password = secured.password().map_or_else(|| Ok(password()), |it| it.read())?;
                Some(Login { user: user.to_owned(), password: Some(password) })
            }
        };
        let made = Made { tls: secured.tls(), login, servers: BTreeMap::new(), client: None };
        self.kept().services.insert(service.clone(), made);
        Ok(())
    }

    /// Who may log in to a service, if somebody has to.
    pub fn login(&self, service: &ServiceId) -> Option<Login> {
        self.kept().services.get(service)?.login.clone()
    }

    /// What a server of a service has, for as long as the run lasts the same.
    pub fn server(&self, service: &ServiceId, node: &NodeId, address: IpAddr) -> ServerKeys {
        let mut kept = self.kept();
        let Kept { authority, services } = &mut *kept;
        let Some(made) = services.get_mut(service).filter(|made| made.tls != ServerTls::None)
        else {
            return ServerKeys::default();
        };
        let authority = authority.get_or_insert_with(Authority::new);
        let own = made.servers.entry(node.clone()).or_insert_with(|| {
            let names = [address.to_string(), node.to_string()];
            authority.sign(node.as_str(), &names, Validity::now())
        });
        let Identity { certificate, key } = own.clone();
        ServerKeys { ca: authority.certificate.clone(), certificate, key }
    }

    /// What clients of a service have; nothing where it is not secured.
    pub fn client(&self, service: &ServiceId) -> Material {
        let mut kept = self.kept();
        let Kept { authority, services } = &mut *kept;
        let Some(made) = services.get_mut(service) else { return Material::default() };
        let login = made.login.clone();
        if made.tls == ServerTls::None {
            return Material { login, ..Material::default() };
        }
        let authority = authority.get_or_insert_with(Authority::new);
        let own = (made.tls == ServerTls::Mutual).then(|| {
            let name = login.as_ref().map_or("wetdress", |login| &login.user);
            let make = || authority.sign(name, &[], Validity::now());
            made.client.get_or_insert_with(make).clone()
        });
        Material { login, ca: Some(authority.certificate.clone()), own, ..Material::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing that is done under the lock leaves it half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 128 bits, in hexadecimal.
fn password() -> Hidden {
    let mut bytes = [0; 16];
    ring::default_provider().secure_random.fill(&mut bytes).expect("the system has randomness");
    Hidden::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// Signs certificates.
pub(super) struct Authority {
    pub(super) certificate: Hidden,
    issuer: Issuer<'static, KeyPair>,
}

/// From when to when a certificate is valid.
#[derive(Clone, Copy)]
pub(super) struct Validity {
    pub(super) from: SystemTime,
    pub(super) until: SystemTime,
}

impl Validity {
    pub(super) fn now() -> Self {
        let now = SystemTime::now();
        Self { from: now - DAY, until: now + VALID }
    }
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = named("wetdress, for one run", &[], Validity::now());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect(MADE);
        let certificate = Hidden::new(params.self_signed(&key).expect(MADE).pem());
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// For a server of these names and addresses, or a client. Servers of a cluster are each other's clients.
    pub(super) fn sign(&self, subject: &str, names: &[String], valid: Validity) -> Identity {
        let mut params = named(subject, names, valid);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().expect(MADE);
        let certificate = params.signed_by(&key, &self.issuer).expect(MADE);
        Identity {
            certificate: Hidden::new(certificate.pem()),
            key: Hidden::new(key.serialize_pem()),
        }
    }
}

const MADE: &str = "a certificate of plain names and a curve that the provider has can be made";

fn named(subject: &str, names: &[String], valid: Validity) -> CertificateParams {
    let mut params = CertificateParams::new(names).expect(MADE);
    params.distinguished_name.push(DnType::CommonName, subject);
    (params.not_before, params.not_after) = (valid.from.into(), valid.until.into());
    params
}
