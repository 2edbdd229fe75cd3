//! Tokens of Cherwell, and what its refusals mean.

use async_trait::async_trait;
use serde_json::Value;

use super::Cherwell;
use crate::http::{Answer, Http, Request};
use crate::problem::{Part, Problem};
use crate::session::{SignIn, Token};

const TOKEN: &str = "/CherwellAPI/token";

#[async_trait]
impl SignIn for Cherwell {
    async fn sign_in(&self, http: &Http, refresh: &str) -> Result<Token, Problem> {
        if !refresh.is_empty() {
            let form = vec![
                ("grant_type", "refresh_token".to_owned()),
                ("client_id", self.settings.client_id.clone()),
                ("refresh_token", refresh.to_owned()),
            ];
            let answer = http.send(&Request::form(TOKEN, form)).await?;
            if answer.is_success() {
                return Token::of(&answer);
            }
        }
        let form = vec![
            ("grant_type", "password".to_owned()),
            ("client_id", self.settings.client_id.clone()),
            ("username", self.settings.user_name.clone()),
            ("password", self.secrets.password.clone()),
        ];
        let answer = http.send(&Request::form(TOKEN, form).with_query([("auth_mode", "Internal")])).await?;
        match answer.is_success() {
            true => Token::of(&answer),
            false => Err(self.refused(&answer)),
        }
    }
}

impl Cherwell {
    /// Why no token was issued.
    fn refused(&self, answer: &Answer) -> Problem {
        if let Some(problem) = answer.web_page() {
            return problem;
        }
        let body = answer.value().unwrap_or(Value::Null);
        let error = body["error"].as_str().unwrap_or_default();
        let said = body["error_description"].as_str().unwrap_or(error);
        let problem = match error {
            "" => Problem::new(
                Part::Url,
                format!("{}{TOKEN} answered {}: it is no Cherwell", self.settings.url, answer.status),
                "write the address in front of /CherwellAPI, and look whether the REST API is installed there",
            ),
            error if error.contains("client") => Problem::new(
                Part::ClientId,
                format!("Cherwell does not know the client {:?}: {said}", self.settings.client_id),
                "compare it with Security, Edit REST API client settings, in the Cherwell Administrator",
            ),
            _ => Problem::new(
                Part::UserOrPassword,
                format!("Cherwell does not take the user {:?} with this password: {said}", self.settings.user_name),
                "try both in Cherwell's own client; the user needs an account of Cherwell's own (authentication mode \
                 Internal) that is not locked",
            ),
        };
        problem.with_status(answer.status)
    }

    /// What an answer that is no success means, or one that says that it has an error.
    pub(super) fn problem(&self, answer: &Answer, body: &Value) -> Problem {
        if let Some(problem) = answer.web_page() {
            return problem;
        }
        let code = body["errorCode"].as_str().unwrap_or_default();
        let said = match body["errorMessage"].as_str() {
            Some(message) if !message.is_empty() => format!("{code} {message}"),
            _ => answer.shown(),
        };
        let text = format!("{} answered {}: {}", answer.path, answer.status, said.trim());
        let problem = match answer.status {
            401 => Problem::new(
                Part::UserOrPassword,
                format!("{text}; a new token did not help"),
                "look whether the user is still active in Cherwell; Sync tries again",
            ),
            403 => Problem::new(Part::Role, text, "give the user's security group the rights on the business object"),
            _ if code.to_ascii_uppercase().contains("RIGHTS") => {
                Problem::new(Part::Role, text, "give the user's security group the rights on the business object")
            }
            404 if code.is_empty() => Problem::new(Part::Url, text, "write the address in front of /CherwellAPI"),
            _ => Problem::new(Part::WorkItem, text, "look at the names and values of the action's fields"),
        };
        problem.with_status(answer.status)
    }
}
