//! The console: files built to `console/dist`, carried in the binary, served under a strict content security policy.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, Uri, header};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../console/dist"]
#[allow_missing = true]
struct Files;

/// Nothing from elsewhere. Styles may be inline because the editor writes them into the page.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><title>Watchkeeper</title>\
     <h1>The console is not in this binary</h1>\
     <p>The APIs work. To have the console, run <code>make console</code> and build the server again, \
     or start with <code>make run</code>, which does both.</p></html>";

/// Answers every path that no API has. Paths of the console's own pages get its start page.
pub async fn serve(method: Method, uri: Uri) -> Response {
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
        return respond(path, file);
    }
    if path.rsplit('/').next().is_some_and(|name| name.contains('.')) {
        return plain(StatusCode::NOT_FOUND, format!("there is nothing at {}\n", uri.path()));
    }
    match Files::get("index.html") {
        Some(file) => respond("index.html", file),
        None => {
            let mut response = (StatusCode::SERVICE_UNAVAILABLE, NOT_BUILT).into_response();
            protect(&mut response, HeaderValue::from_static("text/html; charset=utf-8"));
            response
        }
    }
}

fn is_api(path: &str) -> bool {
    ["api", "v1", "v2", "dataCollectionRules"].contains(&path.split('/').next().unwrap_or_default())
}

fn respond(path: &str, file: EmbeddedFile) -> Response {
    let kind = HeaderValue::from_str(file.metadata.mimetype())
        .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
    let mut response = Response::new(Body::from(file.data.into_owned()));
    // names below assets/ carry a digest of the content, so they never change
    let cache = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    protect(&mut response, kind);
    response
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
            let response = serve(Method::GET, path.parse().unwrap()).await;
            assert_eq!(response.status(), status, "{path}");
            assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        }
        let page = serve(Method::GET, "/logs".parse().unwrap()).await;
        assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
        assert_eq!(page.headers()["content-type"].to_str().unwrap().split(';').next(), Some("text/html"));
    }
}
