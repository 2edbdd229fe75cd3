//! `System.Http.Probe`: whether a web page answers, how fast, with what, and how long its certificate is good.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use watchkeeper_model::item::DataItem;
use watchkeeper_wire::CertificateJudge;

use crate::workflow::job::{Job, Limits, Weight};
use crate::workflow::module::{Context, Failure, Item, Module, Setup};
use crate::workflow::modules::text::fill;

/// What of a body is read.
const BODY_LIMIT: usize = 1024 * 1024;
const REDIRECTS: usize = 10;
/// Where distributions keep the authorities that they trust.
const AUTHORITIES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
const DEFAULT_SECONDS: u64 = 45;

struct Probe {
    url: String,
    method: String,
    headers: Vec<(String, String)>,
    body: String,
    content: Option<String>,
    authority: Option<String>,
    check_certificate: bool,
    redirects: bool,
    limits: Limits,
}

/// Makes one: `Url`, `Method`, `Headers/Header{Name,Value}`, `Body`, `ContentMatch` (a text that has to be there),
/// `CaFile`, `CheckCertificate`, `FollowRedirects`, `TimeoutSeconds`. A property bag with `Url`, `StatusCode` (0 without
/// answer), `Error`, `ResponseMilliseconds`, `ContentLength`, `ContentMatched`, `CertificateError`,
/// `CertificateExpires`, `CertificateDaysLeft`.
///
/// # Errors
/// When a parameter is missing or cannot be.
pub fn make(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    let headers = setup.configuration.child("Headers").map_or_else(Vec::new, |headers| {
        let header = |one: &watchkeeper_model::node::Node| {
            Some((one.value("Name")?.to_owned(), one.value("Value").unwrap_or_default().to_owned()))
        };
        headers.children.iter().filter_map(header).collect()
    });
    let method = setup.configuration.value("Method").unwrap_or("GET").to_ascii_uppercase();
    if !method.chars().all(|one| one.is_ascii_uppercase()) {
        return Err(format!("Method is {method:?}"));
    }
    let seconds = setup.number("TimeoutSeconds")?.unwrap_or(DEFAULT_SECONDS).clamp(1, 600);
    let text = |name: &str| setup.configuration.value(name).map(str::to_owned);
    Ok(Box::new(Probe {
        url: setup.required("Url")?.to_owned(),
        method,
        headers,
        body: text("Body").unwrap_or_default(),
        content: text("ContentMatch"),
        authority: text("CaFile"),
        check_certificate: setup.flag("CheckCertificate")?.unwrap_or(true),
        redirects: setup.flag("FollowRedirects")?.unwrap_or(true),
        limits: Limits { timeout: Duration::from_secs(seconds), ..setup.limits },
    }))
}

impl Module for Probe {
    fn take(&mut self, _: usize, items: &[Item], context: &mut Context<'_>) -> Result<(), Failure> {
        let Some(item) = items.last() else { return Ok(()) };
        let get = |text: &str| fill(text, Some(item), context.accounts);
        let mut headers = Vec::new();
        for (name, value) in &self.headers {
            let (name, value) = (get(name)?, get(value)?);
            if name.contains(['\r', '\n', ':']) || value.contains(['\r', '\n']) {
                return Err(Failure::new(format!("the header {name:?} cannot be sent")));
            }
            headers.push((name, value));
        }
        let asked = Asked {
            url: get(&self.url)?,
            method: self.method.clone(),
            headers,
            body: get(&self.body)?,
            authority: self.authority.clone(),
            check_certificate: self.check_certificate,
            redirects: self.redirects,
        };
        let content = self.content.clone();
        let (now, source, timeout) = (context.now, item.source, self.limits.timeout);
        let limits = Limits { timeout: timeout + Duration::from_secs(5), ..self.limits };
        context.begin(Job::new(Weight::Network, limits, async move {
            let began = Instant::now();
            let url = asked.url.clone();
            let mut seen = Seen::default();
            let answered = match tokio::time::timeout(timeout, ask(asked, &mut seen)).await {
                Ok(answered) => answered,
                Err(_) => Err(format!("no answer within {} s", timeout.as_secs())),
            };
            let took = began.elapsed().as_secs_f64() * 1_000.0;
            let (answer, error) = match answered {
                Ok(answer) => (answer, String::new()),
                Err(error) => (Answer::default(), error),
            };
            let matched = content.is_none_or(|content| answer.body.contains(&content));
            let mut properties = vec![
                ("Url", url),
                ("StatusCode", answer.status.to_string()),
                ("Error", error),
                ("ResponseMilliseconds", format!("{took:.1}")),
                ("ContentLength", answer.body.len().to_string()),
                ("ContentMatched", (answer.status > 0 && matched).to_string()),
                ("CertificateError", seen.certificate_error),
            ];
            if let Some(end) = seen.certificate_end {
                let seconds = UNIX_EPOCH + Duration::from_micros(now.unsigned_abs());
                let left = match end.duration_since(seconds) {
                    Ok(left) => left.as_secs_f64() / 86_400.0,
                    Err(past) => -past.duration().as_secs_f64() / 86_400.0,
                };
                let time = crate::system::microseconds(end);
                properties.push(("CertificateExpires", watchkeeper_model::civil::format_time(time)));
                properties.push(("CertificateDaysLeft", format!("{left:.2}")));
            }
            Ok(vec![DataItem::property_bag(now, source, properties)])
        }));
        Ok(())
    }
}

struct Asked {
    url: String,
    method: String,
    headers: Vec<(String, String)>,
    body: String,
    authority: Option<String>,
    check_certificate: bool,
    redirects: bool,
}

/// What is known also where there is no answer.
#[derive(Default)]
struct Seen {
    certificate_end: Option<SystemTime>,
    certificate_error: String,
}

#[derive(Default)]
struct Answer {
    status: u16,
    body: String,
    location: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Url {
    secure: bool,
    host: String,
    port: u16,
    path: String,
}

fn parse(url: &str) -> Result<Url, String> {
    let wrong = || format!("{url:?} is not a URL of a web page");
    if url.chars().any(|one| one.is_whitespace() || one.is_control()) {
        return Err(wrong());
    }
    let (secure, rest) = match url.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
        _ => return Err(wrong()),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let path = path.split('#').next().unwrap_or_default();
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let authority = authority.rsplit('@').next().unwrap_or(authority);
    let default = if secure { 443 } else { 80 };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().map_err(|_| wrong())?),
        _ => (authority, default),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    if host.is_empty() { Err(wrong()) } else { Ok(Url { secure, host, port, path }) }
}

/// Where a redirect leads.
fn follow(from: &Url, location: &str) -> Result<Url, String> {
    if location.contains("://") {
        return parse(location);
    }
    let scheme = if from.secure { "https" } else { "http" };
    if let Some(rest) = location.strip_prefix("//") {
        return parse(&format!("{scheme}://{rest}"));
    }
    let path = if location.starts_with('/') {
        location.to_owned()
    } else {
        let folder =
            from.path.split('?').next().and_then(|path| path.rsplit_once('/')).map_or("", |(folder, _)| folder);
        format!("{folder}/{location}")
    };
    Ok(Url { path, ..from.clone() })
}

async fn ask(asked: Asked, seen: &mut Seen) -> Result<Answer, String> {
    let mut url = parse(&asked.url)?;
    let mut method = asked.method.clone();
    let origin = (url.host.clone(), url.port);
    for _ in 0..=REDIRECTS {
        let own = (url.host.clone(), url.port) == origin;
        let answer = once(&asked, &url, &method, own, seen).await?;
        match &answer.location {
            Some(location) if asked.redirects && matches!(answer.status, 301 | 302 | 303 | 307 | 308) => {
                if answer.status <= 303 && method != "HEAD" {
                    "GET".clone_into(&mut method);
                }
                url = follow(&url, location)?;
            }
            _ => return Ok(answer),
        }
    }
    Err(format!("more than {REDIRECTS} redirects"))
}

async fn once(asked: &Asked, url: &Url, method: &str, own: bool, seen: &mut Seen) -> Result<Answer, String> {
    let place = format!("{}:{}", url.host, url.port);
    let stream = TcpStream::connect((url.host.as_str(), url.port))
        .await
        .map_err(|error| format!("cannot connect to {place}: {error}"))?;
    if !url.secure {
        return exchange(asked, url, method, own, stream).await;
    }
    let judge = judge(asked)?;
    let config = judge.client().map_err(|error| error.to_string())?;
    let name = ServerName::try_from(url.host.clone()).map_err(|error| format!("{}: {error}", url.host))?;
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    if let Some(verdict) = judge.verdict() {
        seen.certificate_end = Some(verdict.not_after);
        seen.certificate_error = verdict.problem;
    }
    let stream = connected.map_err(|error| format!("TLS with {place}: {error}"))?;
    if asked.check_certificate && !seen.certificate_error.is_empty() {
        return Err(format!("the certificate of {place}: {}", seen.certificate_error));
    }
    exchange(asked, url, method, own, stream).await
}

/// Judges by the authorities of a file, else by those of the system.
fn judge(asked: &Asked) -> Result<Arc<CertificateJudge>, String> {
    let file = asked.authority.as_deref();
    let file = file.or_else(|| AUTHORITIES.into_iter().find(|file| std::path::Path::new(file).exists()));
    let Some(file) = file else { return Ok(CertificateJudge::new([])) };
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| format!("cannot read {file}: {error}"))?;
    Ok(CertificateJudge::new(certificates.flatten()))
}

async fn exchange(
    asked: &Asked,
    url: &Url,
    method: &str,
    own: bool,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
) -> Result<Answer, String> {
    let bracketed = if url.host.contains(':') { format!("[{}]", url.host) } else { url.host.clone() };
    let host =
        if url.port == if url.secure { 443 } else { 80 } { bracketed } else { format!("{bracketed}:{}", url.port) };
    let mut request = format!(
        "{method} {} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: watchkeeper-agent/{}\r\nAccept: */*\r\nConnection: close\r\n",
        url.path,
        crate::system::VERSION
    );
    // headers may hold secrets: they do not go to another machine that a redirect names
    for (name, value) in asked.headers.iter().filter(|_| own) {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    let body = if method == "GET" || method == "HEAD" { "" } else { asked.body.as_str() };
    if !body.is_empty() {
        request.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    request.push_str("\r\n");
    request.push_str(body);
    stream.write_all(request.as_bytes()).await.map_err(|error| format!("cannot send: {error}"))?;
    let mut bytes = Vec::new();
    let mut limited = stream.take((BODY_LIMIT + 64 * 1024) as u64);
    let read = limited.read_to_end(&mut bytes).await;
    answer(&bytes, method).ok_or_else(|| match read {
        Err(error) => format!("cannot read the answer: {error}"),
        Ok(_) => "the answer is not HTTP".to_owned(),
    })
}

fn answer(bytes: &[u8], method: &str) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/")?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(&str, &str)> =
        lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.trim(), value.trim())).collect();
    let header =
        |wanted: &str| headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| *value);
    let raw = &bytes[end + 4..];
    let body = if method == "HEAD" {
        Vec::new()
    } else if header("Transfer-Encoding").is_some_and(|value| value.to_ascii_lowercase().contains("chunked")) {
        chunks(raw)
    } else {
        let length = header("Content-Length").and_then(|length| length.parse().ok()).unwrap_or(raw.len());
        raw[..length.min(raw.len())].to_vec()
    };
    Some(Answer {
        status,
        body: String::from_utf8_lossy(&body).into_owned(),
        location: header("Location").map(str::to_owned),
    })
}

/// The pieces of a body, as far as they are whole.
fn chunks(mut raw: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = raw.windows(2).position(|window| window == b"\r\n") {
        let size = std::str::from_utf8(&raw[..end]).ok().and_then(|line| line.split(';').next());
        let Some(size) = size.and_then(|size| usize::from_str_radix(size.trim(), 16).ok()).filter(|size| *size > 0)
        else {
            break;
        };
        let rest = &raw[end + 2..];
        body.extend_from_slice(&rest[..size.min(rest.len())]);
        raw = rest.get(size.saturating_add(2)..).unwrap_or_default();
    }
    body
}
