//! The console: files built to `console/dist`, carried in the binary, served under a strict content security policy.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::sync::LazyLock;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use parking_lot::Mutex;
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "../../console/dist"]
#[allow_missing = true]
struct Files;

/// Files that were asked for compressed, by digest; each is compressed once, as small as it gets.
static COMPRESSED: LazyLock<Mutex<HashMap<String, Bytes>>> = LazyLock::new(Mutex::default);

/// Nothing from elsewhere. Styles may be inline because the editor writes them into the page.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><title>Watchkeeper</title>\
     <h1>The console is not in this binary</h1>\
     <p>The APIs work. To have the console, run <code>make console</code> and build the server again, \
     or start with <code>make run</code>, which does both.</p></html>";

/// Answers every path that no API has. Paths of the console's own pages get its start page.
pub async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if is_api(path) {
        return plain(StatusCode::NOT_FOUND, format!("there is nothing at {}\n", uri.path()));
    }
    if !matches!(method, Method::GET | Method::HEAD) {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "the console is read with GET\n".to_owned());
    }
    if !path.is_empty()
        && let Some(file) = Files::get(path)
    {
        return embedded(path, file, &headers);
    }
    if path.rsplit('/').next().is_some_and(|name| name.contains('.')) {
        return plain(StatusCode::NOT_FOUND, format!("there is nothing at {}\n", uri.path()));
    }
    match Files::get("index.html") {
        Some(file) => embedded("index.html", file, &headers),
        None => {
            let mut response = (StatusCode::SERVICE_UNAVAILABLE, NOT_BUILT).into_response();
            protect(&mut response, HeaderValue::from_static("text/html; charset=utf-8"));
            response
        }
    }
}

/// A page that says why a sign-in goes no further. The text may hold what an attacker wrote into an address: it is
/// escaped, and the policy lets nothing of it run.
pub fn refused(text: &str) -> Response {
    let safe: String = text
        .chars()
        .map(|letter| match letter {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            '\'' => "&#39;".to_owned(),
            other => other.to_string(),
        })
        .collect();
    let page = format!(
        "<!doctype html><html lang=\"en\"><title>Sign-in refused - Watchkeeper</title><h1>This sign-in goes no further</h1>\
         <p role=\"alert\">{safe}</p><p>The application that sent you here asks in a way that its registration does not \
         allow. Tell the person who looks after it, with the number above.</p></html>"
    );
    let mut response = (StatusCode::BAD_REQUEST, page).into_response();
    protect(&mut response, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

/// The policy of a page that may send a form to the server of `address`, too.
pub fn policy_with_form(address: &str) -> Option<HeaderValue> {
    let (scheme, rest) = address.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = &rest[..end];
    if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte)) {
        return None;
    }
    let policy =
        CONTENT_SECURITY_POLICY.replace("form-action 'self'", &format!("form-action 'self' {scheme}://{host}"));
    HeaderValue::from_str(&policy).ok()
}

fn is_api(path: &str) -> bool {
    ["api", "v1", "v2", "dataCollectionRules"].contains(&path.split('/').next().unwrap_or_default())
}

fn embedded(path: &str, file: EmbeddedFile, asked: &HeaderMap) -> Response {
    let digest = file.metadata.sha256_hash();
    respond(path, file.data, file.metadata.mimetype(), &digest, asked)
}

fn respond(path: &str, data: Cow<'static, [u8]>, kind: &str, digest: &[u8], asked: &HeaderMap) -> Response {
    let content_type =
        HeaderValue::from_str(kind).unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
    let digest: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("W/\"{digest}\"");
    let given =
        |name| asked.get_all(name).iter().filter_map(|value| value.to_str().ok()).flat_map(|line| line.split(','));
    let is_known = given(header::IF_NONE_MATCH).any(|known| known.trim() == tag);
    let takes_gzip = given(header::ACCEPT_ENCODING).any(accepts_gzip);
    let mut response = Response::new(Body::empty());
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else if takes_gzip && is_text(kind) {
        *response.body_mut() = Body::from(compressed(&digest, &data));
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    } else {
        *response.body_mut() = Body::from(data.into_owned());
    }
    // names below assets/ carry a digest of the content, so they never change
    let cache = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    protect(&mut response, content_type);
    response
}

/// `gzip` or `*`, unless its weight is zero.
fn accepts_gzip(coding: &str) -> bool {
    let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
    let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.trim().parse::<f32>().ok());
    ["gzip", "*"].contains(&name.trim()) && weight.unwrap_or(1.0) > 0.0
}

fn is_text(kind: &str) -> bool {
    kind.starts_with("text/") || ["javascript", "json", "svg", "wasm", "xml"].iter().any(|part| kind.contains(part))
}

fn compressed(digest: &str, data: &[u8]) -> Bytes {
    if let Some(done) = COMPRESSED.lock().get(digest) {
        return done.clone();
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(data.len() / 3), Compression::best());
    let written = encoder.write_all(data).and_then(|()| encoder.finish());
    let done = Bytes::from(written.expect("writing to memory does not fail"));
    COMPRESSED.lock().insert(digest.to_owned(), done.clone());
    done
}

fn plain(status: StatusCode, text: String) -> Response {
    let mut response = (status, text).into_response();
    protect(&mut response, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn protect(response: &mut Response, kind: HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_unknown_api_path_is_not_the_console_and_every_answer_is_protected() {
        for (path, status) in [
            ("/api/nothing", StatusCode::NOT_FOUND),
            ("/v1/x", StatusCode::NOT_FOUND),
            ("/no.js", StatusCode::NOT_FOUND),
        ] {
            let response = serve(Method::GET, path.parse().unwrap(), HeaderMap::new()).await;
            assert_eq!(response.status(), status, "{path}");
            assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        }
        let page = serve(Method::GET, "/logs".parse().unwrap(), HeaderMap::new()).await;
        assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
        assert_eq!(page.headers()["content-type"].to_str().unwrap().split(';').next(), Some("text/html"));
    }

    #[tokio::test]
    async fn a_refused_sign_in_shows_no_markup_of_the_address_and_a_form_goes_to_one_server_more() {
        let page = refused("<script>alert('x')</script>");
        let body = axum::body::to_bytes(page.into_body(), usize::MAX).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert!(text.contains("&lt;script&gt;") && !text.contains("<script"), "{text}");
        let policy = policy_with_form("http://localhost:8400/x?y").unwrap();
        assert!(policy.to_str().unwrap().contains("form-action 'self' http://localhost:8400;"));
        assert_eq!(policy_with_form("https://a;script-src *"), None);
    }

    #[tokio::test]
    async fn a_file_is_compressed_for_whom_that_suits_and_not_sent_again() {
        let text = "let x = 1; let x = 1; let x = 1; let x = 1; let x = 1;";
        let asked = |name: &'static str, value: &'static str| {
            HeaderMap::from_iter([(http::HeaderName::from_static(name), HeaderValue::from_static(value))])
        };
        let answer =
            |headers: &HeaderMap| respond("assets/x.js", text.as_bytes().into(), "text/javascript", &[7; 32], headers);
        let plain = answer(&asked("accept-encoding", "gzip;q=0, br"));
        assert!(!plain.headers().contains_key("content-encoding"));
        let small = answer(&asked("accept-encoding", "br, gzip"));
        assert_eq!(small.headers()["content-encoding"], "gzip");
        assert!(small.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
        let tag = plain.headers()["etag"].to_str().unwrap().to_owned();
        let mut known = HeaderMap::new();
        known.insert("if-none-match", tag.parse().unwrap());
        assert_eq!(answer(&known).status(), StatusCode::NOT_MODIFIED);
        let body = axum::body::to_bytes(small.into_body(), usize::MAX).await.unwrap();
        let mut read = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&body[..]), &mut read).unwrap();
        assert_eq!(read, text);
    }
}
