//! Calls of webhooks and chats. Redirects are not followed, answers are read no further than a reason needs.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use parking_lot::Mutex;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;
use watchkeeper_alerting::Period;
use watchkeeper_alerting::retry::{self, Answer};

const CONNECT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(10);
const MINUTE: i64 = 60_000_000;
/// Letters of an answer that a reason quotes.
const QUOTED: usize = 300;

/// The client of webhooks.
pub struct Webhooks {
    http: reqwest::Client,
    /// When the last calls were made: no more than so many a minute.
    calls: Mutex<VecDeque<i64>>,
}

impl Webhooks {
    /// Trusts the system's authorities and these (PEM).
    pub fn new(trusted: &[Vec<u8>]) -> anyhow::Result<Webhooks> {
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots(trusted)?)
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(TIMEOUT)
            .user_agent(concat!("Watchkeeper/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Webhooks { http, calls: Mutex::default() })
    }

    /// Takes a turn; where there have been as many calls as a minute may have, says when the next one is.
    pub fn turn(&self, now: i64) -> Option<i64> {
        let mut calls = self.calls.lock();
        while calls.front().is_some_and(|at| *at <= now - MINUTE) {
            calls.pop_front();
        }
        if calls.len() >= usize::try_from(retry::MOST_WEBHOOKS_A_MINUTE).unwrap_or(usize::MAX) {
            return calls.front().map(|at| at + MINUTE);
        }
        calls.push_back(now);
        None
    }

    /// Calls once.
    pub async fn call(&self, uri: &str, body: &Value, token: Option<&str>, delivery_id: &str) -> Answer {
        let mut request = self.http.post(uri).header("Idempotency-Key", delivery_id).json(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        match request.send().await {
            // the address stays out of the reason: it may have secrets
            Err(error) if error.is_builder() => Answer::Refused { reason: cause(&error.without_url()) },
            Err(error) => Answer::Later { reason: cause(&error.without_url()), after: None },
            Ok(response) => {
                let (status, after) = (response.status(), retry_after(response.headers()));
                if status.is_success() {
                    return Answer::Delivered;
                }
                let text = tokio::time::timeout(Duration::from_secs(2), beginning(response)).await.unwrap_or_default();
                let reason = reason(status, &text);
                match retry::may_retry(status.as_u16()) {
                    true => Answer::Later { reason, after },
                    false => Answer::Refused { reason },
                }
            }
        }
    }
}

fn roots(trusted: &[Vec<u8>]) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    // some that systems have cannot be read; those are left out
    roots.add_parsable_certificates(certificates(trusted)?.into_iter().map(CertificateDer::from));
    Ok(roots)
}

/// The certificates (DER) of the authorities that are trusted: the system's and these (PEM).
pub fn certificates(trusted: &[Vec<u8>]) -> anyhow::Result<Vec<Vec<u8>>> {
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::debug!(%error, "some authorities of the system are not read");
    }
    let mut certificates: Vec<Vec<u8>> = native.certs.iter().map(|certificate| certificate.to_vec()).collect();
    for pem in trusted {
        for certificate in CertificateDer::pem_slice_iter(pem) {
            certificates.push(certificate.context("a certificate of an authority is damaged")?.to_vec());
        }
    }
    Ok(certificates)
}

async fn beginning(mut response: reqwest::Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= QUOTED {
            break;
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(QUOTED).collect()
}

fn reason(status: StatusCode, text: &str) -> String {
    let hint = match status.as_u16() {
        300..=399 => "; redirects are not followed, so give the address that it leads to",
        401 | 403 => "; check the credentials in the address, or the roles of the token",
        404 | 410 => "; check the address",
        _ => "",
    };
    match text {
        "" => format!("the receiver answered {status}{hint}"),
        text => format!("the receiver answered {status}: {text}{hint}"),
    }
}

/// Every cause of an error, in one line.
fn cause(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(inner) = next {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        next = inner.source();
    }
    text
}

fn retry_after(headers: &HeaderMap) -> Option<Period> {
    let seconds: i64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    (seconds >= 0).then(|| Period::seconds(seconds.min(86_400)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_calls_are_made_in_a_minute_than_documented() {
        let webhooks = Webhooks::new(&[]).unwrap();
        let most = i64::from(retry::MOST_WEBHOOKS_A_MINUTE);
        for number in 0..most {
            assert_eq!(webhooks.turn(number), None);
        }
        assert_eq!(webhooks.turn(most), Some(MINUTE));
        assert_eq!(webhooks.turn(MINUTE), None);
    }
}
