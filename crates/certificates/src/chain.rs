//! From a certificate to a trusted root: which certificates are on the way, and whether each is signed by the next.

use std::time::{Duration, SystemTime};

use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, anchor_from_trusted_cert};

use crate::facts::Facts;
use crate::problem::Problem;

/// More certificates than this are not a chain.
const LONGEST: usize = 8;

/// The way up, as far as it goes.
pub struct Way {
    /// The certificates between the one at the start and the root.
    pub between: Vec<CertificateDer<'static>>,
    /// The trusted root, when the way leads to one.
    pub root: Option<CertificateDer<'static>>,
    /// Why there is none.
    pub problem: Option<Problem>,
}

/// Follows issuers through the certificates at hand to one of the trusted.
pub fn way_up(
    start: &CertificateDer<'static>,
    at_hand: &[CertificateDer<'static>],
    trusted: &[CertificateDer<'static>],
) -> Way {
    let mut way = Way { between: Vec::new(), root: None, problem: None };
    let mut present = start.clone();
    while way.between.len() < LONGEST {
        if let Some(root) = issuer_in(&present, trusted) {
            way.root = Some(root.clone());
            return way;
        }
        let next = issuer_in(&present, at_hand).filter(|next| **next != present && !way.between.contains(next));
        let Some(next) = next else { break };
        way.between.push(next.clone());
        present = next.clone();
    }
    let (subject, issuer) = names(&present);
    way.problem = Some(if subject == issuer {
        Problem::new(
            format!("the root of its chain, {subject:?}, is not trusted here"),
            "if it is your company's authority, name the file with its certificate with --authority",
        )
    } else {
        Problem::new(
            format!("the chain is not complete: the certificate of {issuer:?}, which issued {subject:?}, is missing"),
            "put that certificate into the file behind the machine's own, or name it with --authority when it is the \
             root",
        )
    });
    way
}

fn issuer_in<'a>(
    certificate: &CertificateDer<'_>,
    candidates: &'a [CertificateDer<'static>],
) -> Option<&'a CertificateDer<'static>> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    candidates.iter().find(|candidate| {
        x509_parser::parse_x509_certificate(candidate)
            .is_ok_and(|(_, issuer)| issuer.subject().as_raw() == parsed.issuer().as_raw())
    })
}

fn names(certificate: &CertificateDer<'_>) -> (String, String) {
    Facts::of(certificate).map_or_else(|_| Default::default(), |facts| (facts.subject, facts.issuer))
}

/// Any use: uses are looked at elsewhere, with a message of their own.
struct AnyUse;

impl ExtendedKeyUsageValidator for AnyUse {
    fn validate(&self, _purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}

/// Checks signatures and constraints on the way. Dates are looked at elsewhere: this looks from a moment at which all
/// were valid; where there is none, nothing can be said.
pub fn signatures(start: &CertificateDer<'static>, way: &Way) -> Option<Problem> {
    let root = way.root.as_ref()?;
    let all: Vec<Facts> = std::iter::once(start).chain(&way.between).filter_map(|one| Facts::of(one).ok()).collect();
    let moment = all.iter().map(|facts| facts.not_before).max()? + Duration::from_secs(1);
    if all.iter().any(|facts| facts.not_after < moment) {
        return None;
    }
    let wrong = |reason: String| {
        Problem::new(
            format!("the chain up to {:?} does not hold: {reason}", names(root).0),
            "ask the authority for the certificate again, with the chain that belongs to it",
        )
    };
    let anchor: TrustAnchor<'_> = match anchor_from_trusted_cert(root) {
        Ok(anchor) => anchor,
        Err(error) => return Some(wrong(format!("the root cannot be used: {error}"))),
    };
    let end = match EndEntityCert::try_from(start) {
        Ok(end) => end,
        Err(error) => return Some(wrong(format!("the certificate cannot be used: {error}"))),
    };
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms.all;
    let checked = end.verify_for_usage(
        algorithms,
        std::slice::from_ref(&anchor),
        &way.between,
        UnixTime::since_unix_epoch(since),
        AnyUse,
        None,
        None,
    );
    checked.err().map(|error| wrong(format!("{error:?}")))
}
