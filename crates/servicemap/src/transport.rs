//! HTTPS: whom it trusts, and what a failed request means.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::problem::{Kind, Problem};

/// Where distributions keep the authorities that they trust.
const AUTHORITIES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
const CONNECT: Duration = Duration::from_secs(10);
/// The longest chain of causes that is looked at.
const CAUSES: usize = 16;

/// A client that trusts the system's authorities and those of a PEM text besides.
pub(crate) fn http(trusted: &str) -> Result<reqwest::Client, Problem> {
    let wrong = |reason: String| Problem::new(Kind::Certificate, reason);
    let mut roots = RootCertStore::empty();
    if let Some(system) = AUTHORITIES.iter().find_map(|path| std::fs::read(path).ok()) {
        // one that this program cannot use is none that it trusts
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&system).flatten());
    }
    let mut own = 0;
    for certificate in CertificateDer::pem_slice_iter(trusted.as_bytes()) {
        let certificate = certificate.map_err(|error| {
            wrong(format!("the trusted certificates cannot be read ({error}); give them as PEM, as in a file ca.pem"))
        })?;
        roots
            .add(certificate)
            .map_err(|error| wrong(format!("one of the trusted certificates cannot be used: {error}")))?;
        own += 1;
    }
    if own == 0 && !trusted.trim().is_empty() {
        return Err(wrong("the trusted certificates hold none; give them as PEM, as in a file ca.pem".to_owned()));
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        // an answer that leads elsewhere would take the token with it
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT)
        .build()
        .map_err(|error| Problem::new(Kind::Address, format!("no HTTPS client can be made: {error}")))
}

/// An address that requests can go to: `https://HOST[:PORT]`, without what follows.
pub(crate) fn address(what: &str, text: &str) -> Result<Url, Problem> {
    let wrong = |reason: &str| {
        Problem::new(
            Kind::Address,
            format!("the {what} {text:?} {reason}; write it as https://HOST or https://HOST:PORT"),
        )
    };
    let url = Url::parse(text.trim()).map_err(|_| wrong("is no address"))?;
    if url.scheme() != "https" {
        return Err(wrong("does not begin with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("has more than a host and a port"));
    }
    match url.path() {
        "/" | "" => Ok(url),
        _ => Err(wrong("has a path")),
    }
}

/// What a request that got no answer means.
pub(crate) fn failed(error: &reqwest::Error, url: &Url, timeout: Duration) -> Problem {
    let host = url.origin().ascii_serialization();
    if let Some(tls) = tls_error(error) {
        return match tls {
            rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => Problem::new(
                Kind::Certificate,
                format!(
                    "the certificate of {host} is not trusted: {tls}. Give the authority that signed it as trusted \
                     certificate (PEM; of another Watchkeeper its ca.pem), and use the name that the certificate has"
                ),
            ),
            tls => Problem::new(
                Kind::Address,
                format!("{host} does not speak HTTPS as it should: {tls}. Look at the address and the port"),
            ),
        };
    }
    if error.is_timeout() && error.is_connect() {
        return Problem::new(
            Kind::Address,
            format!(
                "{host} cannot be reached: no connection within {} s. Look at the address and at firewalls on the way",
                CONNECT.as_secs()
            ),
        );
    }
    if error.is_timeout() {
        return Problem::new(
            Kind::Timeout,
            format!(
                "{host} gave no answer within {} s. Look whether it is overloaded or a firewall drops packets on the way; \
                 TimeoutSeconds of the rule is the limit",
                timeout.as_secs_f64()
            ),
        );
    }
    let cause = causes(error).last().map_or_else(|| error.to_string(), ToString::to_string);
    if error.is_connect() {
        return Problem::new(
            Kind::Address,
            format!(
                "{host} cannot be reached: {cause}. Look at the address, at name resolution and firewalls on the way"
            ),
        );
    }
    Problem::new(
        Kind::Address,
        format!("the connection to {host} broke off: {cause}. Look whether the other side still runs"),
    )
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let first: &(dyn Error + 'static) = error;
    std::iter::successors(Some(first), |error: &&(dyn Error + 'static)| (*error).source()).take(CAUSES)
}

fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    causes(error).find_map(|mut cause| {
        // an error of I/O does not name the one that it wraps as its source
        for _ in 0..CAUSES {
            let Some(inner) = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) else { break };
            cause = inner;
        }
        cause.downcast_ref::<rustls::Error>()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for text in ["https://management.azure.com", " https://wk.example:8443/ ", "https://[::1]:1"] {
            assert!(address("endpoint", text).is_ok(), "{text}");
        }
        for text in ["", "wk.example", "http://wk.example", "https://user@h", "https://h/path", "https://h?x"] {
            let problem = address("endpoint", text).unwrap_err();
            assert_eq!(problem.kind, Kind::Address, "{text}");
            assert!(problem.to_string().contains(text), "{problem}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_said() {
        assert_eq!(http("").map(drop), Ok(()));
        for text in ["hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert_eq!(http(text).map(drop).map_err(|problem| problem.kind), Err(Kind::Certificate), "{text}");
        }
    }
}
