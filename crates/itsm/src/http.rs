//! Requests to a product: time limits, tries again where that does no harm, and what went wrong in a person's words.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, Method, header};
use parking_lot::Mutex;
use reqwest::redirect::Policy;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;

use crate::connection::Settings;
use crate::desk::{Exchange, Timing};
use crate::problem::{Part, Problem};

const CONNECT: Duration = Duration::from_secs(10);
/// A larger answer is no page of work items.
const MOST_BODY_BYTES: usize = 64 << 20;
/// Exchanges that are remembered until somebody asks.
const MOST_EXCHANGES: usize = 1000;
/// How much of an answer that was not understood is shown.
const SHOWN_CHARS: usize = 300;
const LONGEST_BACKOFF: Duration = Duration::from_secs(20);

/// The way to one product.
pub struct Http {
    client: reqwest::Client,
    base: String,
    timing: Timing,
    exchanges: Mutex<Vec<Exchange>>,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: Method,
    /// Behind the connection's URL, or a whole URL.
    pub path: String,
    pub query: Vec<(String, String)>,
    pub authorization: Option<Authorization>,
    /// More headers than every request has.
    pub headers: Vec<(&'static str, String)>,
    pub body: Body,
    /// Sending it twice does no harm.
    pub repeatable: bool,
}

/// Who asks.
#[derive(Clone)]
pub enum Authorization {
    Bearer(String),
    Basic {
        user: String,
        password: String,
    },
    /// The header as it is.
    Plain(String),
}

impl std::fmt::Debug for Authorization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authorization(..)")
    }
}

/// What is sent.
#[derive(Clone)]
pub enum Body {
    None,
    Json(Value),
    Form(Vec<(&'static str, String)>),
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // forms carry passwords
        f.write_str(match self {
            Body::None => "None",
            Body::Json(_) => "Json(..)",
            Body::Form(_) => "Form(..)",
        })
    }
}

impl Request {
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, Body::None, true)
    }

    /// One that makes something: it is not sent twice unless the product surely did not take it.
    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::POST, path, Body::Json(body), false)
    }

    /// One that only asks, though with a body.
    pub fn ask(path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::POST, path, Body::Json(body), true)
    }

    /// One that changes the state of something: of what may still be on its way, its sender has to know. Sent again here,
    /// the first could arrive late and undo a later change.
    pub fn change(method: Method, path: impl Into<String>, body: Value) -> Self {
        Self::new(method, path, Body::Json(body), false)
    }

    /// One that makes what it names, once.
    pub fn set(method: Method, path: impl Into<String>, body: Value) -> Self {
        Self::new(method, path, Body::Json(body), true)
    }

    pub fn form(path: impl Into<String>, form: Vec<(&'static str, String)>) -> Self {
        Self::new(Method::POST, path, Body::Form(form), true)
    }

    fn new(method: Method, path: impl Into<String>, body: Body, repeatable: bool) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            authorization: None,
            headers: Vec::new(),
            body,
            repeatable,
        }
    }

    #[must_use]
    pub fn with_query<K: Into<String>, V: Into<String>>(mut self, pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        self.query.extend(pairs.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    #[must_use]
    pub fn authorized(mut self, authorization: Authorization) -> Self {
        self.authorization = Some(authorization);
        self
    }
}

/// An answer below 500 that is not 429.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// The path that was asked.
    pub path: String,
}

impl Answer {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The start of the body, for messages.
    pub fn shown(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        line.chars().take(SHOWN_CHARS).collect()
    }

    /// The body where it is JSON, whatever the status.
    pub fn value(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is a page for a browser, or broken.
    pub fn json(&self) -> Result<Value, Problem> {
        if let Some(problem) = self.web_page() {
            return Err(problem);
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            let message = format!("{} answered {} with something that is not JSON ({error})", self.path, self.status);
            Problem::new(Part::Product, message, "it is tried again; if it stays, look at the product's own log")
                .with_status(self.status)
        })
    }

    /// What a page for a browser in the place of an answer means.
    pub fn web_page(&self) -> Option<Problem> {
        let kind = self.header("content-type").unwrap_or_default();
        let start = String::from_utf8_lossy(&self.body[..self.body.len().min(4096)]).to_ascii_lowercase();
        if !kind.contains("text/html") && !start.trim_start().starts_with("<!doctype html") && !start.contains("<html")
        {
            return None;
        }
        Some(match start.contains("hibernat") {
            true => Problem::new(
                Part::Product,
                "the instance is hibernating: it answers with a page for people",
                "sign in to the product's developer site and wake the instance; instances for developers fall asleep \
                 when nobody uses them",
            ),
            false => Problem::new(
                Part::Url,
                format!("{} answered {} with a page for a browser", self.path, self.status),
                "look whether the URL is that of the product's interface, without a page of its web site behind it, \
                 and whether a sign-in page or a proxy stands in front of it",
            ),
        }
        .with_status(self.status))
    }
}

impl Http {
    /// The way to the product of a connection.
    ///
    /// # Errors
    /// When the authority is no certificate.
    pub fn new(settings: &Settings, timing: Timing) -> Result<Http, Problem> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(&settings.authority)?)
            .user_agent(concat!("Watchkeeper/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .connect_timeout(CONNECT.min(timing.request))
            .timeout(timing.request)
            .build()
            .map_err(|error| Problem::new(Part::Settings, error.to_string(), "look at the proxy's environment"))?;
        Ok(Http { client, base: settings.url.clone(), timing, exchanges: Mutex::default() })
    }

    /// What was exchanged since this was called last.
    pub fn exchanges(&self) -> Vec<Exchange> {
        std::mem::take(&mut *self.exchanges.lock())
    }

    /// Sends a request, again where that does no harm.
    ///
    /// # Errors
    /// When no answer came, or 429 or 5xx after all tries, or one that sends elsewhere.
    pub async fn send(&self, request: &Request) -> Result<Answer, Problem> {
        let began = Instant::now();
        let mut pause = self.timing.pause;
        let mut tried = 0;
        loop {
            tried += 1;
            let outcome = self.once(request).await;
            let problem = match outcome {
                Ok(answer) => {
                    self.note(request, Some(answer.status), began, tried);
                    return Ok(answer);
                }
                Err(problem) => problem,
            };
            let again = problem.is_transient() && (request.repeatable || !problem.uncertain);
            let wait = problem.retry_after.unwrap_or(pause);
            if !again || tried >= self.timing.tries || wait > self.timing.longest_pause {
                self.note(request, problem.status, began, tried);
                return Err(problem);
            }
            tracing::debug!(path = request.path, tried, ?wait, %problem, "a request is sent again");
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(LONGEST_BACKOFF);
        }
    }

    fn note(&self, request: &Request, status: Option<u16>, began: Instant, tries: u32) {
        let mut exchanges = self.exchanges.lock();
        if exchanges.len() >= MOST_EXCHANGES {
            exchanges.remove(0);
        }
        exchanges.push(Exchange {
            method: request.method.to_string(),
            path: request.path.split('?').next().unwrap_or_default().to_owned(),
            status,
            took: began.elapsed(),
            tries,
        });
    }

    async fn once(&self, request: &Request) -> Result<Answer, Problem> {
        let url = match request.path.starts_with("http") {
            true => request.path.clone(),
            false => format!("{}{}", self.base, request.path),
        };
        let mut building = self.client.request(request.method.clone(), url).header(header::ACCEPT, "application/json");
        if !request.query.is_empty() {
            building = building.query(&request.query);
        }
        for (name, value) in &request.headers {
            building = building.header(*name, value);
        }
        building = match &request.authorization {
            None => building,
            Some(Authorization::Bearer(token)) => building.bearer_auth(token),
            Some(Authorization::Basic { user, password }) => building.basic_auth(user, Some(password)),
            Some(Authorization::Plain(value)) => building.header(header::AUTHORIZATION, value),
        };
        building = match &request.body {
            Body::None => building,
            Body::Json(value) => building.json(value),
            Body::Form(form) => building.form(form),
        };
        let response = building.send().await.map_err(|error| self.unreached(&error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = read(response).await.map_err(|error| {
            let message = format!("the answer to {} broke off ({})", request.path, root(&error));
            Problem::new(Part::Network, message, "it is tried again").with_status(status).uncertain(true)
        })?;
        let answer = Answer { status, headers, body, path: request.path.clone() };
        match status {
            300..=399 => {
                let to = answer.header("location").unwrap_or_default().split('?').next().unwrap_or_default();
                let message = format!("{} sends to {to:?}", request.path);
                let advice = "write the address where the product really is into the URL of the connection";
                Err(Problem::new(Part::Url, message, advice).with_status(status))
            }
            429 => Err(limited(&answer)),
            500.. => Err(failing(&answer)),
            _ => Ok(answer),
        }
    }

    /// Why nobody answered.
    fn unreached(&self, error: &reqwest::Error) -> Problem {
        let cause = root(error);
        let base = &self.base;
        if let Some(problem) = certificate(error, base) {
            return problem;
        }
        if error.is_timeout() {
            let seconds = self.timing.request.as_secs();
            let message = format!("{base} did not answer within {seconds} s");
            // connecting took too long: nothing was sent
            let advice = "look whether the product is up and how busy it is";
            return Problem::new(Part::Network, message, advice).uncertain(!error.is_connect());
        }
        if cause.contains("lookup") || cause.contains("Name or service not known") || cause.contains("resolve") {
            let message = format!("the name of {base} is not known ({cause})");
            return Problem::new(Part::Url, message, "look at how the host is written, and at this server's DNS");
        }
        if error.is_connect() {
            let message = format!("{base} cannot be reached ({cause})");
            let advice = "look whether the product is up, at its port in the URL, and whether a firewall lets this \
                          server through";
            return Problem::new(Part::Network, message, advice);
        }
        let message = format!("the connection to {base} broke ({cause})");
        Problem::new(Part::Network, message, "it is tried again").uncertain(true)
    }
}

async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await? {
        // the rest is not JSON any more, and says so
        if body.len() + part.len() > MOST_BODY_BYTES {
            break;
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

/// The innermost cause.
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

fn limited(answer: &Answer) -> Problem {
    let seconds = wait(answer);
    let then = seconds.map_or_else(String::new, |wait| format!(", for {} s more", wait.as_secs()));
    let message = format!("the product takes no more requests of this user now{then}: {}", answer.shown());
    let advice = "it goes on by itself; if it comes often, raise the product's limit for this user (in ServiceNow: \
                  System Web Services, Rate Limit Rules)";
    Problem { retry_after: seconds, ..Problem::new(Part::RateLimit, message, advice).with_status(429) }
}

fn failing(answer: &Answer) -> Problem {
    let message = format!("{} answered {}: {}", answer.path, answer.status, answer.shown());
    let advice = "it is tried again; if it stays, look at the product's own log";
    // a gateway that says 502 or 504 may have passed the request on
    let problem = Problem::new(Part::Product, message, advice).with_status(answer.status).uncertain(true);
    Problem { retry_after: wait(answer), ..problem }
}

/// How long the product asks to wait.
fn wait(answer: &Answer) -> Option<Duration> {
    if let Some(text) = answer.header("retry-after") {
        if let Ok(seconds) = text.trim().parse() {
            return Some(Duration::from_secs(seconds));
        }
        let then = chrono::DateTime::parse_from_rfc2822(text).ok()?;
        return (then.to_utc() - chrono::Utc::now()).to_std().ok();
    }
    // ServiceNow: when the limit begins anew, seconds since 1970
    let reset: u64 = answer.header("x-ratelimit-reset")?.trim().parse().ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    (reset > now).then(|| Duration::from_secs(reset - now))
}

/// What is wrong with the product's certificate, where it is that.
fn certificate(error: &reqwest::Error, base: &str) -> Option<Problem> {
    let found = tls_error(error);
    let (message, advice) = match found? {
        rustls::Error::InvalidCertificate(problem) => match problem {
            CertificateError::UnknownIssuer => (
                format!("the certificate of {base} comes from an authority that is not trusted here"),
                "give the connection the certificate (PEM) of the authority that issued it",
            ),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                (format!("the certificate of {base} has expired"), "have it renewed in the product")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => (
                format!("the certificate of {base} is not valid yet"),
                "look at the clocks of this server and of the product",
            ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
                format!("the certificate of {base} is for another name"),
                "write the URL with the name that the certificate is for",
            ),
            other => (format!("the certificate of {base} is not taken: {other}"), "have it looked at in the product"),
        },
        other => (
            format!("{base} does not speak TLS as it should: {other}"),
            "look whether the port in the URL is the one for https",
        ),
    };
    Some(Problem::new(Part::Certificate, message, advice))
}

/// The TLS library's error behind another one; it lies within errors of input and output, which do not name it as
/// their source.
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = error.downcast_ref::<rustls::Error>() {
        return Some(found);
    }
    let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    let inner = inner.map(|inner| inner as &(dyn std::error::Error + 'static));
    inner.and_then(tls_error).or_else(|| error.source().and_then(tls_error))
}

/// Trusts the system's authorities and the connection's.
fn tls(authority: &str) -> Result<ClientConfig, Problem> {
    let mut roots = RootCertStore::empty();
    // a system without authorities is no mistake: the connection may bring its own
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let refuse = |reason: String| {
        let advice = "give the authority's certificate in PEM, from -----BEGIN CERTIFICATE----- on";
        Problem::new(Part::Settings, format!("the authority is no certificate: {reason}"), advice)
    };
    if !authority.trim().is_empty() {
        let mut count = 0;
        for certificate in CertificateDer::pem_slice_iter(authority.as_bytes()) {
            let certificate = certificate.map_err(|error| refuse(error.to_string()))?;
            roots.add(certificate).map_err(|error| refuse(error.to_string()))?;
            count += 1;
        }
        if count == 0 {
            return Err(refuse("there is none in it".to_owned()));
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| refuse(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
