//! HTTPS, one request at a time on a connection that is kept: whom it trusts, and what a failure means. A Windows sign-in
//! holds for its connection, so the connections are this crate's own and not those of a pool.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::problem::{Part, Problem};

const CONNECT: Duration = Duration::from_secs(10);
/// What one page may have.
const MOST_BODY_BYTES: usize = 256 << 20;
const USER_AGENT: &str = concat!("Watchkeeper/", env!("CARGO_PKG_VERSION"));

/// An address that requests go to: `https://HOST[:PORT][/PATH]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Without the brackets of an IPv6 address.
    pub host: String,
    pub port: u16,
    /// Without a slash at its end.
    pub path: String,
    /// Host and port as written, for the header `Host`.
    authority: String,
}

impl Place {
    /// Of what a person wrote.
    ///
    /// # Errors
    /// When it is no address of HTTPS.
    pub fn read(what: &str, text: &str) -> Result<Place, Problem> {
        let wrong = |reason: &str| {
            let message = format!("the {what} {text:?} {reason}");
            Problem::new(Part::Address, message, "write it as https://HOST or https://HOST:PORT")
        };
        let uri: Uri = text.trim().parse().map_err(|_| wrong("is no address"))?;
        if uri.scheme_str() != Some("https") {
            return Err(wrong("does not begin with https://"));
        }
        let authority = uri.authority().filter(|authority| !authority.host().is_empty());
        let authority = authority.ok_or_else(|| wrong("has no host"))?;
        if authority.as_str().contains('@') || uri.query().is_some() || text.contains('#') {
            return Err(wrong("has more than host, port and path"));
        }
        Ok(Place {
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(443),
            path: uri.path().trim_end_matches('/').to_owned(),
            authority: authority.as_str().to_owned(),
        })
    }

    /// `https://HOST[:PORT]`.
    pub fn origin(&self) -> String {
        format!("https://{}", self.authority)
    }
}

/// Whom the connections trust: the system's authorities, and those of a PEM text besides.
///
/// # Errors
/// When the text is none.
pub(crate) fn trust(own: &str) -> Result<TlsConnector, Problem> {
    let wrong = |reason: String| {
        let advice = "give the certificate of the authority as PEM: of a site that makes its own certificates it is SMS \
                      Issuing (console, Administration, Security, Certificates)";
        Problem::new(Part::Certificate, reason, advice)
    };
    let mut roots = RootCertStore::empty();
    // those that cannot be read are not trusted
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(own.as_bytes()) {
        let certificate = certificate.map_err(|error| wrong(format!("the trusted certificate is broken ({error})")))?;
        roots.add(certificate).map_err(|error| wrong(format!("the trusted certificate cannot be used ({error})")))?;
        count += 1;
    }
    if count == 0 && !own.trim().is_empty() {
        return Err(wrong("the trusted certificate is not one".to_owned()));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// An answer of any status, whole.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A connection.
pub(crate) struct Line {
    sender: SendRequest<Full<Bytes>>,
    driver: AbortHandle,
    /// Of the other side, DER.
    pub certificate: Vec<u8>,
    /// It has carried an answer: the other side may have closed it since.
    pub used: bool,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Why no answer came.
#[derive(Debug)]
pub(crate) struct Lost(pub hyper::Error);

impl Line {
    /// # Errors
    /// Why nobody can be asked there.
    pub async fn connect(tls: &TlsConnector, place: &Place) -> Result<Line, Problem> {
        let origin = place.origin();
        let unreached = |cause: String| {
            Problem::new(
                Part::Address,
                format!("{origin} cannot be reached: {cause}"),
                "look at the address, at name resolution and at firewalls on the way",
            )
        };
        let late = |_| unreached(format!("no connection within {} s", CONNECT.as_secs()));
        let tcp = timeout(CONNECT, TcpStream::connect((place.host.as_str(), place.port))).await.map_err(late)?;
        let tcp = tcp.map_err(|error| unreached(error.to_string()))?;
        tcp.set_nodelay(true).map_err(|error| unreached(error.to_string()))?;
        let name = ServerName::try_from(place.host.clone()).map_err(|_| unreached("the host is no name".to_owned()))?;
        let stream = timeout(CONNECT, tls.connect(name, tcp)).await.map_err(late)?;
        let stream = stream.map_err(|error| tls_failed(&error, &origin))?;
        let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let certificate = certificates.first().map(|one| one.as_ref().to_vec()).unwrap_or_default();
        let shaken = handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(|error| unreached(error.to_string()))?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to an administration service ended");
            }
        });
        Ok(Line { sender, driver: driver.abort_handle(), certificate, used: false })
    }

    /// Whether another request may go this way.
    pub fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// # Errors
    /// When the connection broke.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, Lost> {
        self.sender.ready().await.map_err(Lost)?;
        let response = self.sender.send_request(request).await.map_err(Lost)?;
        self.used = true;
        let (head, body) = response.into_parts();
        let body = match Limited::new(body, MOST_BODY_BYTES).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => match error.downcast::<hyper::Error>() {
                Ok(error) => return Err(Lost(*error)),
                // more than it may be: what came is no answer
                Err(_) => Bytes::new(),
            },
        };
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }
}

/// What a request carries.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sent<'a> {
    /// It only asks.
    Nothing,
    Form(&'a str),
    Json(&'a str),
}

/// A request to a path, with its parameters.
pub(crate) fn request(
    place: &Place,
    path: &str,
    authorization: Option<&str>,
    sent: Sent<'_>,
) -> Result<Request<Full<Bytes>>, Problem> {
    let (method, kind, body) = match sent {
        Sent::Nothing => (http::Method::GET, None, ""),
        Sent::Form(text) => (http::Method::POST, Some("application/x-www-form-urlencoded"), text),
        Sent::Json(text) => (http::Method::POST, Some("application/json"), text),
    };
    let mut building = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, &place.authority)
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::ACCEPT, "application/json");
    if let Some(authorization) = authorization {
        let mut value = http::HeaderValue::from_str(authorization).map_err(|_| {
            Problem::new(Part::Settings, "the sign-in cannot be sent in a header", "look at the secret")
        })?;
        value.set_sensitive(true);
        building = building.header(header::AUTHORIZATION, value);
    }
    if let Some(kind) = kind {
        building = building.header(header::CONTENT_TYPE, kind);
    }
    building.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).map_err(|error| {
        let message = format!("{path:?} cannot be asked for ({error})");
        Problem::new(Part::Address, message, "look at the address of the connection")
    })
}

/// What a broken connection means.
pub(crate) fn broken(origin: &str, lost: &Lost) -> Problem {
    let message = format!("the connection to {origin} broke ({})", lost.0);
    Problem::new(Part::Address, message, "it is tried again; if it stays, look whether the other side still runs")
}

fn tls_failed(error: &std::io::Error, origin: &str) -> Problem {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(reason)) => {
            let (message, advice) = match reason {
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
                    format!("the certificate of {origin} is for another name ({reason})"),
                    "use the name that the certificate has: the full name of the SMS Provider's server",
                ),
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
                    format!("the certificate of {origin} has expired ({reason})"),
                    "renew it on the SMS Provider, and look at the clocks of both sides",
                ),
                reason => (
                    format!("the certificate of {origin} is not trusted ({reason})"),
                    "give the certificate of its authority with the connection, as PEM: of a site that makes its own \
                     certificates it is SMS Issuing (console, Administration, Security, Certificates)",
                ),
            };
            Problem::new(Part::Certificate, message, advice)
        }
        _ => {
            let message = format!("{origin} does not speak HTTPS as it should ({error})");
            Problem::new(Part::Address, message, "look at the address and the port")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_host_port_and_path() {
        let place = Place::read("address", " https://cm01.contoso.com/AdminService/ ").unwrap();
        assert_eq!((place.host.as_str(), place.port, place.path.as_str()), ("cm01.contoso.com", 443, "/AdminService"));
        let place = Place::read("address", "https://[::1]:8443").unwrap();
        assert_eq!((place.host.as_str(), place.port, place.path.as_str()), ("::1", 8443, ""));
        assert_eq!(place.origin(), "https://[::1]:8443");
        for text in ["", "cm01", "http://cm01", "https://user@cm01", "https://cm01/?x=1", "https://"] {
            assert_eq!(Place::read("address", text).unwrap_err().part, Part::Address, "{text}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_said() {
        assert!(trust("").is_ok());
        for text in ["hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert_eq!(trust(text).err().unwrap().part, Part::Certificate, "{text}");
        }
    }
}
