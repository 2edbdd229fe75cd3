//! Lists of revoked certificates (CRL, RFC 5280 section 5): read, and believed when an authority has signed them that is
//! trusted, or whose own certificate leads to one that is.

use std::time::{Duration, SystemTime};

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use watchkeeper_wire::CertificateKey;
use webpki::EndEntityCert;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;
use x509_parser::x509::ReasonCode;

use crate::problem::Problem;

/// The largest list that is taken: one of [`MAX_REVOKED`] certificates, which also fits into a request.
pub const MAX_LIST_BYTES: usize = 5 << 19;
/// Certificates of one list: every server and gateway holds them in memory.
pub const MAX_REVOKED: usize = 50_000;
/// How far the clock of an authority may be ahead.
const AHEAD: Duration = Duration::from_secs(600);

/// A list that is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationList {
    /// SHA-256 over the issuer's name, as in `CertificateKey`.
    pub issuer: String,
    /// The issuer's name, to be read.
    pub issuer_name: String,
    /// When it was issued.
    pub this_update: SystemTime,
    /// When the next one was promised.
    pub next_update: Option<SystemTime>,
    /// In the list's order.
    pub revoked: Vec<Revoked>,
}

/// A certificate of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// In hexadecimal digits, as in `CertificateKey`.
    pub serial: String,
    /// When.
    pub at: SystemTime,
    /// As the standard calls it, `KeyCompromise`; empty: none is given.
    pub reason: String,
}

/// Reads a list, PEM or DER, and looks who has signed it: one of `trusted`, or one of `at_hand` or of the certificates in
/// the same file, from which a chain leads to one of `trusted`.
///
/// # Errors
/// All that speaks against it.
pub fn read_revocation_list(
    bytes: &[u8],
    at_hand: &[CertificateDer<'static>],
    trusted: &[CertificateDer<'static>],
    now: SystemTime,
) -> Result<RevocationList, Vec<Problem>> {
    let one = |found: String, remedy: &str| Err(vec![Problem::new(found, remedy)]);
    if bytes.len() > MAX_LIST_BYTES {
        let found = format!("the list has {} bytes, {MAX_LIST_BYTES} are allowed", bytes.len());
        return one(found, "have the authority issue lists for parts of its certificates");
    }
    let der = CertificateRevocationListDer::from_pem_slice(bytes).map_or_else(|_| bytes.to_vec(), |der| der.to_vec());
    let Ok((_, list)) = CertificateRevocationList::from_der(&der) else {
        return one(
            "it is not a list of revoked certificates (CRL), neither PEM nor DER".to_owned(),
            "ask the authority where its list is; certificates name it under CRL distribution points",
        );
    };
    let mut certificates: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(bytes).filter_map(Result::ok).collect();
    certificates.extend_from_slice(at_hand);
    let mut problems = Vec::new();
    problems.extend(not_understood(&list));
    problems.extend(signer(&list, &certificates, trusted));
    let this_update = time(list.last_update().timestamp());
    if this_update > now + AHEAD {
        problems.push(Problem::new(
            format!("it is not valid before {}", list.last_update()),
            "wait until then, or set this machine's clock if it is wrong",
        ));
    }
    let revoked: Vec<Revoked> = list
        .iter_revoked_certificates()
        .filter_map(|entry| {
            let reason = entry.reason_code().map(|(_, reason)| reason);
            (reason != Some(ReasonCode::RemoveFromCRL)).then(|| Revoked {
                serial: CertificateKey::of(&[], entry.raw_serial()).serial,
                at: time(entry.revocation_date.timestamp()),
                reason: reason.map(|reason| reason.to_string()).unwrap_or_default(),
            })
        })
        .collect();
    if revoked.len() > MAX_REVOKED {
        problems.push(Problem::new(
            format!("it has {} certificates, {MAX_REVOKED} are allowed", revoked.len()),
            "have the authority leave out those that have expired",
        ));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(RevocationList {
        issuer: CertificateKey::of(list.issuer().as_raw(), &[]).issuer,
        issuer_name: list.issuer().to_string(),
        this_update,
        next_update: list.next_update().map(|next| time(next.timestamp())),
        revoked,
    })
}

/// What the list says in a way that would be misread: changes to another list, certificates of other issuers.
fn not_understood(list: &CertificateRevocationList<'_>) -> Option<Problem> {
    list.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::IssuingDistributionPoint(point) if point.indirect_crl => Some(Problem::new(
            "it has certificates of several issuers (an indirect list)",
            "give the list that the issuer of the machines' certificates signs itself",
        )),
        ParsedExtension::IssuingDistributionPoint(point) if point.only_contains_attribute_certs => {
            Some(Problem::new("it has attribute certificates alone", "give the list of the machines' certificates"))
        }
        ParsedExtension::IssuingDistributionPoint(_) => None,
        _ if extension.oid.to_id_string() == "2.5.29.27" => Some(Problem::new(
            "it has only what changed since another list (a delta list)",
            "give the whole list; it is named in the certificates as CRL distribution point",
        )),
        _ if extension.critical => Some(Problem::new(
            format!("it has an extension that has to be understood and is not ({})", extension.oid),
            "ask the authority for a list without it",
        )),
        _ => None,
    })
}

/// Why nobody who is trusted has signed the list.
fn signer(
    list: &CertificateRevocationList<'_>,
    at_hand: &[CertificateDer<'static>],
    trusted: &[CertificateDer<'static>],
) -> Option<Problem> {
    let issuer = list.issuer().to_string();
    let is_named = |one: &&CertificateDer<'static>| {
        x509_parser::parse_x509_certificate(one)
            .is_ok_and(|(_, parsed)| parsed.subject().as_raw() == list.issuer().as_raw() && may_sign_lists(&parsed))
    };
    let named: Vec<_> = trusted.iter().chain(at_hand).filter(is_named).collect();
    if named.is_empty() {
        return Some(Problem::new(
            format!("the certificate of {issuer:?}, which has issued it, is not known here"),
            "name the file with that certificate with --issuer, and trust the root behind it (`watchkeeper cert trust`)",
        ));
    }
    let Some(signed) =
        named.into_iter().find(|one| is_signed_by(list.tbs_cert_list.as_ref(), list.signature_value.as_ref(), one))
    else {
        return Some(Problem::new(
            format!(
                "its signature is not one of {issuer:?}: it was changed, is of another authority with this name, or is \
                 signed with SHA-1"
            ),
            "fetch it again; --issuer names the certificate that the list is signed with",
        ));
    };
    if trusted.contains(signed) {
        return None;
    }
    (!leads_up(signed, at_hand, trusted)).then(|| {
        Problem::new(
            format!("no chain of signatures leads from {issuer:?}, which has issued it, to a root that is trusted here"),
            "trust the root (`watchkeeper cert trust`); where another authority stands between, put its certificate into \
             the file that --issuer names",
        )
    })
}

/// Whether signatures lead from an authority's certificate to a trusted one. All with a name are tried: a root that was
/// renewed has the name of the old one.
fn leads_up(
    start: &CertificateDer<'static>,
    at_hand: &[CertificateDer<'static>],
    trusted: &[CertificateDer<'static>],
) -> bool {
    let mut reached = vec![start];
    let mut next = 0;
    while let Some(present) = reached.get(next).copied() {
        next += 1;
        let Ok((_, parsed)) = x509_parser::parse_x509_certificate(present) else { continue };
        let has_signed = |one: &&CertificateDer<'static>| {
            let above = x509_parser::parse_x509_certificate(one).is_ok_and(|(_, above)| {
                above.subject().as_raw() == parsed.issuer().as_raw()
                    && above.is_ca()
                    && !matches!(above.key_usage(), Ok(Some(usage)) if !usage.value.key_cert_sign())
            });
            above && is_signed_by(parsed.tbs_certificate.as_ref(), parsed.signature_value.as_ref(), one)
        };
        if trusted.iter().any(|one| has_signed(&one)) {
            return true;
        }
        let further: Vec<_> = at_hand.iter().filter(has_signed).filter(|one| !reached.contains(one)).collect();
        reached.extend(further);
    }
    false
}

/// RFC 5280 4.2.1.3: where a certificate says what its key is for, lists have to be among it.
fn may_sign_lists(issuer: &x509_parser::certificate::X509Certificate<'_>) -> bool {
    issuer.is_ca() && !matches!(issuer.key_usage(), Ok(Some(usage)) if !usage.value.crl_sign())
}

fn is_signed_by(message: &[u8], signature: &[u8], issuer: &CertificateDer<'_>) -> bool {
    let Ok(issuer) = EndEntityCert::try_from(issuer) else { return false };
    let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms.all;
    algorithms.iter().any(|algorithm| issuer.verify_signature(*algorithm, message, signature).is_ok())
}

fn time(seconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod,
        KeyPair, KeyUsagePurpose, RevocationReason, RevokedCertParams, SerialNumber, date_time_ymd,
    };

    use super::*;

    struct Company {
        issuer: Issuer<'static, KeyPair>,
        certificate: CertificateDer<'static>,
    }

    fn company(name: &str, above: Option<&Company>, usages: &[KeyUsagePurpose]) -> Company {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = usages.to_vec();
        let certificate = match above {
            None => params.self_signed(&key).unwrap(),
            Some(above) => params.signed_by(&key, &above.issuer).unwrap(),
        };
        let certificate = certificate.der().clone();
        Company { issuer: Issuer::from_ca_cert_der(&certificate, key).unwrap(), certificate }
    }

    const BOTH: [KeyUsagePurpose; 2] = [KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];

    fn list(by: &Company, serials: &[u64]) -> Vec<u8> {
        let entry = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2026, 1, 2),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 3),
            next_update: date_time_ymd(2026, 2, 3),
            crl_number: SerialNumber::from(7),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&by.issuer).unwrap().der().to_vec()
    }

    fn now() -> SystemTime {
        time(1_767_500_000)
    }

    fn refused(bytes: &[u8], at_hand: &[CertificateDer<'static>], trusted: &[CertificateDer<'static>]) -> String {
        read_revocation_list(bytes, at_hand, trusted, now()).unwrap_err()[0].to_string()
    }

    #[test]
    fn a_list_is_believed_when_a_trusted_authority_or_one_below_it_has_signed_it() {
        let root = company("Root", None, &BOTH);
        let issuing = company("Issuing", Some(&root), &BOTH);
        let trusted = [root.certificate.clone()];
        let read = read_revocation_list(&list(&root, &[0x1a2b, 5]), &[], &trusted, now()).unwrap();
        assert_eq!(read.revoked.iter().map(|one| one.serial.as_str()).collect::<Vec<_>>(), ["1a2b", "05"]);
        assert_eq!((read.issuer_name.as_str(), read.next_update), ("CN=Root", Some(time(1_770_076_800))));
        assert!(read.revoked[0].reason.contains("Compromise"), "{}", read.revoked[0].reason);

        let lower = list(&issuing, &[9]);
        assert!(refused(&lower, &[], &trusted).contains("\"CN=Issuing\", which has issued it, is not known here"));
        let at_hand = [issuing.certificate.clone()];
        let read = read_revocation_list(&lower, &at_hand, &trusted, now()).unwrap();
        assert_eq!(read.revoked.len(), 1);
        assert!(refused(&lower, &at_hand, &[]).contains("no chain of signatures"), "nobody trusts the root");
    }

    #[test]
    fn a_list_of_a_stranger_of_the_same_name_or_with_a_changed_byte_is_not_believed() {
        let (root, double) = (company("Root", None, &BOTH), company("Root", None, &BOTH));
        let trusted = [root.certificate.clone()];
        assert!(refused(&list(&double, &[1]), &[], &trusted).contains("its signature is not one of"));
        let stranger = [double.certificate.clone()];
        assert!(refused(&list(&double, &[1]), &stranger, &trusted).contains("no chain of signatures"));
        let good = list(&root, &[0x7777]);
        let place = good.windows(2).position(|pair| pair == [0x77, 0x77]).unwrap();
        let mut changed = good.clone();
        changed[place] = 0x76;
        assert!(refused(&changed, &[], &trusted).contains("it was changed"));
        assert!(refused(b"hello", &[], &trusted).contains("neither PEM nor DER"));
        let early = read_revocation_list(&good, &[], &trusted, time(1_700_000_000)).unwrap_err();
        assert!(early[0].to_string().contains("not valid before"), "{early:?}");
    }
}
