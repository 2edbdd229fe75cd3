//! Everything that a certificate needs before it is used, and all that it lacks, at once. The requirements are those of
//! bring-your-own certificates in Operations Manager (specification 3): the machine's full name as subject, server and
//! client authentication, a key that is in the store, a chain to a trusted root.

use std::time::SystemTime;

use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::revocation_list::CertificateRevocationList;

use crate::chain::{signatures, way_up};
use crate::facts::{Facts, bits, signature};
use crate::problem::Problem;

const SERVER_USE: &str = "server authentication (1.3.6.1.5.5.7.3.1)";
const CLIENT_USE: &str = "client authentication (1.3.6.1.5.5.7.3.2)";
const LEAST_RSA_BITS: usize = 2048;
/// Larger keys cannot sign with the cryptography of this program.
const MOST_RSA_BITS: usize = 4096;

/// What is asked of a certificate.
pub struct Requirements<'a> {
    /// The machine's full name, as others know it.
    pub name: &'a str,
    /// Roots that are trusted.
    pub trusted: &'a [CertificateDer<'static>],
    /// Lists of revoked certificates, in DER.
    pub revoked: &'a [Vec<u8>],
    /// The time.
    pub now: SystemTime,
}

/// A certificate that is good, with what belongs to it.
pub struct Checked {
    pub facts: Facts,
    /// The certificates between it and the root.
    pub between: Vec<CertificateDer<'static>>,
    pub root: CertificateDer<'static>,
}

/// Checks a certificate with its key and the certificates that came with it.
///
/// # Errors
/// All that is wrong.
pub fn check(
    certificate: &CertificateDer<'static>,
    key: Option<&PrivateKeyDer<'static>>,
    at_hand: &[CertificateDer<'static>],
    requirements: &Requirements<'_>,
) -> Result<Checked, Vec<Problem>> {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else {
        return Err(vec![Problem::new("it is not an X.509 certificate", "ask the authority for it again")]);
    };
    let facts = Facts::of_parsed(certificate, &parsed);
    let mut problems = Vec::new();
    names(&facts, requirements.name, &mut problems);
    uses(&parsed, &mut problems);
    key_size(&parsed, &facts, &mut problems);
    key_matches(&parsed, key, &mut problems);
    let way = way_up(certificate, at_hand, requirements.trusted);
    let mut on_the_way: Vec<&CertificateDer<'static>> = vec![certificate];
    on_the_way.extend(&way.between);
    for one in on_the_way.iter().copied().chain(&way.root) {
        let is_root = way.root.as_ref() == Some(one);
        validity_and_signature(one, is_root, requirements.now, &mut problems);
    }
    for one in on_the_way {
        revoked(one, requirements, &mut problems);
    }
    problems.extend(signatures(certificate, &way));
    match (way.root, way.problem) {
        (Some(root), _) if problems.is_empty() => Ok(Checked { facts, between: way.between, root }),
        (_, missing) => {
            problems.extend(missing);
            Err(problems)
        }
    }
}

fn names(facts: &Facts, wanted: &str, problems: &mut Vec<Problem>) {
    let again = format!("ask for a certificate with the subject CN={wanted} and the DNS name {wanted}");
    if facts.names.iter().any(|name| name.starts_with("*.")) {
        problems.push(Problem::new(
            format!("it is for all machines of a domain ({})", facts.names.join(", ")),
            "a machine needs a certificate of its own name: ".to_owned() + &again,
        ));
    }
    match &facts.common_name {
        Some(name) if name.eq_ignore_ascii_case(wanted) => {}
        Some(name) => problems.push(Problem::new(
            format!("its subject is CN={name}, and this machine is {wanted}"),
            format!("{again}, or give the machine's name with --name"),
        )),
        None => problems.push(Problem::new(
            format!("its subject {:?} has no common name, and this machine is {wanted}", facts.subject),
            again.clone(),
        )),
    }
    if !facts.names.iter().any(|name| name.eq_ignore_ascii_case(wanted)) {
        let found = match facts.names.as_slice() {
            [] => "it has no subject alternative name, and TLS looks at no other".to_owned(),
            names => format!("its names are {}, and this machine is {wanted}", names.join(", ")),
        };
        problems.push(Problem::new(found, again));
    }
}

fn uses(parsed: &X509Certificate<'_>, problems: &mut Vec<Problem>) {
    let again = "ask for one from a template with server and client authentication";
    match parsed.extended_key_usage() {
        Ok(Some(uses)) => {
            let mut missing = Vec::new();
            if !uses.value.server_auth && !uses.value.any {
                missing.push(SERVER_USE);
            }
            if !uses.value.client_auth && !uses.value.any {
                missing.push(CLIENT_USE);
            }
            if !missing.is_empty() {
                problems.push(Problem::new(format!("it is not for {}", missing.join(" and not for ")), again));
            }
        }
        Ok(None) => problems.push(Problem::new(
            format!("it names no extended key usage; it has to be for {SERVER_USE} and for {CLIENT_USE}"),
            again,
        )),
        Err(error) => problems.push(Problem::new(format!("its extended key usage cannot be read: {error}"), again)),
    }
    match parsed.key_usage() {
        Ok(Some(usage)) if !usage.value.digital_signature() => {
            problems.push(Problem::new(
                format!("its key is not for digital signatures, but for: {}", usage.value),
                "ask for one with the key usage digital signature",
            ));
        }
        Err(error) => problems.push(Problem::new(format!("its key usage cannot be read: {error}"), again)),
        _ => {}
    }
    if parsed.is_ca() {
        problems.push(Problem::new("it is the certificate of an authority", "ask for one for a machine"));
    }
}

fn key_size(parsed: &X509Certificate<'_>, facts: &Facts, problems: &mut Vec<Problem>) {
    let usable = match parsed.public_key().parsed() {
        Ok(PublicKey::RSA(rsa)) => (LEAST_RSA_BITS..=MOST_RSA_BITS).contains(&bits(rsa.modulus)),
        Ok(PublicKey::EC(_)) => ["EC P-256", "EC P-384"].contains(&facts.key.as_str()),
        _ => facts.key == "Ed25519",
    };
    if !usable {
        problems.push(Problem::new(
            format!("its key is {}", facts.key),
            format!(
                "make a new key and ask for a new certificate: EC P-256 or P-384, Ed25519, or RSA with \
                 {LEAST_RSA_BITS} to {MOST_RSA_BITS} bits"
            ),
        ));
    }
}

fn key_matches(parsed: &X509Certificate<'_>, key: Option<&PrivateKeyDer<'static>>, problems: &mut Vec<Problem>) {
    let Some(key) = key else {
        problems.push(Problem::new(
            "there is no private key for it, neither in the file nor from a request on this machine",
            "import it where `cert request` was run, or give a PFX file or a PEM file with the key",
        ));
        return;
    };
    match public_key(key) {
        // a key that this program cannot sign with is said by its size
        None => {}
        Some(public) if public == parsed.public_key().raw => {}
        Some(_) => problems.push(Problem::new(
            "the private key does not belong to it",
            "give the key that the request was made with; `cert request` keeps it on the machine where it was run",
        )),
    }
}

/// The public half of a key, in DER.
pub(crate) fn public_key(key: &PrivateKeyDer<'_>) -> Option<Vec<u8>> {
    let signing = rustls::crypto::ring::sign::any_supported_type(key).ok()?;
    Some(signing.public_key()?.to_vec())
}

fn validity_and_signature(
    certificate: &CertificateDer<'static>,
    is_root: bool,
    now: SystemTime,
    problems: &mut Vec<Problem>,
) {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else { return };
    let facts = Facts::of_parsed(certificate, &parsed);
    let what = &facts.subject;
    let validity = parsed.validity();
    if facts.not_after <= now {
        problems.push(Problem::new(
            format!("{what:?} has expired: it was valid until {}", validity.not_after),
            "ask for a new one (`cert renew` makes the request)",
        ));
    }
    if facts.not_before > now {
        problems.push(Problem::new(
            format!("{what:?} is not valid before {}", validity.not_before),
            "wait until then, or set this machine's clock if it is wrong",
        ));
    }
    // a root is trusted for itself, not for its signature
    let (algorithm, sound) = signature(&parsed);
    if !sound && !is_root {
        problems.push(Problem::new(
            format!("{what:?} is signed with {algorithm}, which can be forged"),
            "ask the authority for one that is signed with SHA-256 or better",
        ));
    }
}

fn revoked(certificate: &CertificateDer<'static>, requirements: &Requirements<'_>, problems: &mut Vec<Problem>) {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else { return };
    for list in requirements.revoked {
        let Ok((_, list)) = CertificateRevocationList::from_der(list) else { continue };
        if list.issuer().as_raw() != parsed.issuer().as_raw() {
            continue;
        }
        if let Some(entry) = list.iter_revoked_certificates().find(|entry| entry.raw_serial() == parsed.raw_serial()) {
            problems.push(Problem::new(
                format!("{:?} was revoked by its authority on {}", parsed.subject().to_string(), entry.revocation_date),
                "ask for a new one, with a new key",
            ));
        }
        let seconds = |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if let Some(next) = list.next_update()
            && u64::try_from(next.timestamp()).unwrap_or(0) < seconds(requirements.now)
        {
            problems.push(Problem::new(
                format!("the list of revoked certificates of {} was good until {next} only", list.issuer()),
                "fetch the authority's present list",
            ));
        }
    }
}

/// What speaks against trusting a certificate as an authority's.
#[must_use]
pub fn authority_problems(certificate: &CertificateDer<'static>, now: SystemTime) -> Vec<Problem> {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else {
        return vec![Problem::new("it is not an X.509 certificate", "give the authority's certificate")];
    };
    let mut problems = Vec::new();
    if !parsed.is_ca() {
        problems.push(Problem::new(
            format!("{:?} is not the certificate of an authority", parsed.subject().to_string()),
            "give the certificate of the root, not of a machine",
        ));
    }
    if matches!(parsed.key_usage(), Ok(Some(usage)) if !usage.value.key_cert_sign()) {
        problems.push(Problem::new("its key is not for signing certificates", "give the certificate of the root"));
    }
    key_size(&parsed, &Facts::of_parsed(certificate, &parsed), &mut problems);
    validity_and_signature(certificate, true, now, &mut problems);
    problems
}
