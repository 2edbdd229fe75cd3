//! Batches to the server: tried again until they are stored or refused.

use std::time::Duration;

use anyhow::{Context, bail};
use axum::body::Bytes;
use reqwest::{Method, Response, StatusCode, header};
use serde_json::Value;
use tokio::sync::RwLock;

use super::super::client::{Client, Target};

const CONTENT_TYPE: &str = "application/vnd.apache.arrow.stream";
/// How often a server that does not answer is tried, with twice the time in between from try to try.
const MOST_ATTEMPTS: u32 = 8;
/// When the server says that it is busy, and not for how long.
const BUSY_SECONDS: u64 = 2;
const LONGEST_WAIT_SECONDS: u64 = 60;

/// The way to one table.
pub struct Sender {
    target: Target,
    client: RwLock<Client>,
    path: String,
}

/// Tells the user something while the import goes on.
pub type Tell<'a> = dyn Fn(&str) + Send + Sync + 'a;

impl Sender {
    pub fn new(target: Target, client: Client, table: &str) -> Sender {
        let path = format!("/api/workspaces/{}/tables/{table}/rows", client.workspace_id);
        Sender { target, client: RwLock::new(client), path }
    }

    /// Sends a batch until it is stored. True where the server had it before.
    ///
    /// # Errors
    /// When the server refuses it, or does not answer for minutes.
    pub async fn send(&self, batch_id: &str, body: Vec<u8>, tell: &Tell<'_>) -> anyhow::Result<bool> {
        let body = Bytes::from(body);
        let mut failures = 0;
        let mut has_signed_in_again = false;
        loop {
            let reason = match self.attempt(batch_id, body.clone()).await {
                Ok(response) if response.status().is_success() => {
                    let answer: Value = response.json().await.context("the server's answer broke off")?;
                    return Ok(answer["duplicate"] == true);
                }
                Ok(response) if is_busy(response.status()) => {
                    let seconds = retry_after(&response);
                    let reason = reason(response).await;
                    tell(&format!("the server asks to wait {seconds} s: {reason}"));
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                    continue;
                }
                // tokens end before long imports do
                Ok(response) if response.status() == StatusCode::UNAUTHORIZED && !has_signed_in_again => {
                    has_signed_in_again = true;
                    *self.client.write().await = self.target.connect().await?;
                    continue;
                }
                Ok(response) if !response.status().is_server_error() => bail!("{}", reason(response).await),
                Ok(response) => reason(response).await,
                Err(error) => format!("{error:#}"),
            };
            failures += 1;
            if failures == MOST_ATTEMPTS {
                bail!("{reason}; tried {MOST_ATTEMPTS} times. Run the same command again later: it goes on from here");
            }
            let wait = Duration::from_millis(250 << failures.min(7));
            tell(&format!("{reason}; next try in {:.1} s", wait.as_secs_f32()));
            tokio::time::sleep(wait).await;
        }
    }

    async fn attempt(&self, batch_id: &str, body: Bytes) -> anyhow::Result<Response> {
        let client = self.client.read().await;
        let request = client.request(Method::POST, &self.path).header("X-Batch-Id", batch_id);
        let request = request.header(header::CONTENT_TYPE, CONTENT_TYPE).body(body);
        request.send().await.with_context(|| format!("cannot reach {}", client.base))
    }
}

fn is_busy(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
}

fn retry_after(response: &Response) -> u64 {
    let header = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    header.and_then(|text| text.parse().ok()).unwrap_or(BUSY_SECONDS).clamp(1, LONGEST_WAIT_SECONDS)
}

async fn reason(response: Response) -> String {
    let status = response.status();
    let body: Value = response.json().await.unwrap_or_default();
    match body["error"]["message"].as_str() {
        Some(message) => format!("{message} ({status})"),
        None => format!("the server answered {status}"),
    }
}
