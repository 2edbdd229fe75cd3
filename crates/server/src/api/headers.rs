//! What every answer says to browsers and proxies, whichever route made it. A route may say it in its own words.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

/// Two years, as the lists of browsers ask for.
const STRICT_TRANSPORT: &str = "max-age=63072000; includeSubDomains";

const ALWAYS: [(&str, &str); 6] = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
    // an answer of an API is no page: a browser that is led to take it for one loads and runs nothing
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    // answers have secrets, rows and names of machines; the console's files say otherwise of themselves
    ("cache-control", "no-store"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Adds what the route did not say.
pub async fn protect(request: Request, next: Next) -> Response {
    let is_named = is_named(request.uri(), request.headers());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(value));
    }
    if is_named {
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(HeaderValue::from_static(STRICT_TRANSPORT));
    }
    response
}

/// Whether the server was called by a name of its own: what a browser remembers of `localhost` would hold for every
/// program of that machine, and of addresses it remembers nothing (RFC 6797, 8.1.1).
fn is_named(uri: &Uri, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let host = host.or_else(|| uri.authority().map(|authority| authority.as_str())).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).to_ascii_lowercase();
    let is_address = host.starts_with('[') || name.parse::<std::net::IpAddr>().is_ok();
    !name.is_empty() && !is_address && name != "localhost" && !name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_told_to_come_back_by_tls_where_the_name_is_the_servers_own() {
        let told = |host: &'static str| {
            is_named(&Uri::from_static("/"), &HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]))
        };
        assert!(told("wk.example:8443") && told("WK.example"));
        for host in ["localhost:8443", "wk.localhost", "127.0.0.1:8443", "[::1]:8443", "[::1]", ""] {
            assert!(!told(host), "{host}");
        }
        assert!(is_named(&Uri::from_static("https://wk.example:8443/api"), &HeaderMap::new()), "HTTP/2 has no Host");
    }
}
