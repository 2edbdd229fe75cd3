//! Signing in for a token, keeping it, and signing in again when the product does not take it any more.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::http::{Answer, Authorization, Http, Request};
use crate::problem::{Part, Problem};

/// A token is renewed so long before it ends.
const EARLY: Duration = Duration::from_secs(30);
/// For products that do not say how long.
const LIFE: Duration = Duration::from_secs(20 * 60);

/// A token.
#[derive(Clone)]
pub struct Token {
    pub access: String,
    pub refresh: String,
    ends: Instant,
}

impl Token {
    /// Of the answer of a token endpoint (RFC 6749, 5.1).
    ///
    /// # Errors
    /// When it has no token.
    pub fn of(answer: &Answer) -> Result<Token, Problem> {
        let body = answer.json()?;
        let access = body["access_token"].as_str().unwrap_or_default();
        if access.is_empty() {
            let message = format!("{} answered {} without a token", answer.path, answer.status);
            let advice = "look whether the URL is that of the product and whether OAuth is switched on there";
            return Err(Problem::new(Part::Url, message, advice).with_status(answer.status));
        }
        let seconds = match &body["expires_in"] {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64(),
        };
        let life = seconds.map_or(LIFE, Duration::from_secs);
        let ends = Instant::now() + life.saturating_sub(EARLY.min(life / 2));
        let refresh = body["refresh_token"].as_str().unwrap_or_default().to_owned();
        Ok(Token { access: access.to_owned(), refresh, ends })
    }
}

/// How a product issues tokens.
#[async_trait]
pub trait SignIn: Send + Sync {
    /// A new token; `refresh` is that of an older one, or empty.
    async fn sign_in(&self, http: &Http, refresh: &str) -> Result<Token, Problem>;
}

/// The token of a connection.
#[derive(Default)]
pub struct Session {
    token: Mutex<Option<Token>>,
}

impl Session {
    /// Sends a request with a token; with a new one where the product says that the old one has ended.
    pub async fn send(&self, http: &Http, desk: &dyn SignIn, request: Request) -> Result<Answer, Problem> {
        let token = self.token(http, desk, "").await?;
        let answer = http.send(&request.clone().authorized(Authorization::Bearer(token.clone()))).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        // it was not done: sending it again does no harm
        let token = self.token(http, desk, &token).await?;
        http.send(&request.authorized(Authorization::Bearer(token))).await
    }

    /// The token, made anew where it has ended or is the one that was refused.
    async fn token(&self, http: &Http, desk: &dyn SignIn, refused: &str) -> Result<String, Problem> {
        let mut held = self.token.lock().await;
        if let Some(token) = held.as_ref().filter(|token| token.ends > Instant::now() && token.access != refused) {
            return Ok(token.access.clone());
        }
        let refresh = held.take().map(|token| token.refresh).unwrap_or_default();
        let token = desk.sign_in(http, &refresh).await?;
        let access = token.access.clone();
        *held = Some(token);
        Ok(access)
    }
}
