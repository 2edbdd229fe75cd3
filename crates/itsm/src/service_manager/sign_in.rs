//! Tokens of the web application (RFC 6749, client credentials), and what its refusals mean.

use async_trait::async_trait;
use serde_json::Value;

use super::{API, ServiceManager};
use crate::http::{Answer, Http, Request};
use crate::problem::{Part, Problem};
use crate::session::{SignIn, Token};

#[async_trait]
impl SignIn for ServiceManager {
    async fn sign_in(&self, http: &Http, _refresh: &str) -> Result<Token, Problem> {
        let form = vec![
            ("grant_type", "client_credentials".to_owned()),
            ("client_id", self.settings.client_id.clone()),
            ("client_secret", self.secrets.client_secret.clone()),
        ];
        let answer = http.send(&Request::form(format!("{API}/token"), form)).await?;
        match answer.is_success() {
            true => Token::of(&answer),
            false => Err(self.refused(&answer)),
        }
    }
}

impl ServiceManager {
    /// Why no token was issued.
    fn refused(&self, answer: &Answer) -> Problem {
        if let Some(problem) = answer.web_page() {
            return problem;
        }
        let body = answer.value().unwrap_or(Value::Null);
        let problem = match (body["error"].as_str(), body["error_description"].as_str().unwrap_or_default()) {
            (Some("invalid_client"), said) if said.contains("secret") => Problem::new(
                Part::ClientSecret,
                "the web application of Service Manager does not take the client secret".to_owned(),
                "write the secret that the script showed when it was installed, or make a new one there with \
                 -NewSecret",
            ),
            (Some("invalid_client"), _) => Problem::new(
                Part::ClientId,
                format!(
                    "the web application of Service Manager does not know the client {:?}",
                    self.settings.client_id
                ),
                "write the client ID that the script showed when it was installed",
            ),
            (Some(error), said) => Problem::new(
                Part::Product,
                format!("the web application of Service Manager issues no token: {error} {said}"),
                "look at the event log of the Service Manager server (source Watchkeeper)",
            ),
            (None, _) => Problem::new(
                Part::Url,
                format!("{}{API}/token answered {}: it is not the web application", self.settings.url, answer.status),
                "write the URL that the script listens at, without anything behind the port",
            ),
        };
        problem.with_status(answer.status)
    }

    /// What an answer that is no success means.
    pub(super) fn problem(&self, answer: &Answer) -> Problem {
        if let Some(problem) = answer.web_page() {
            return problem;
        }
        let body = answer.value().unwrap_or(Value::Null);
        let said = match body["error"]["message"].as_str() {
            Some(message) => message.to_owned(),
            None => answer.shown(),
        };
        let text = format!("{} answered {}: {said}", answer.path, answer.status);
        let problem = match body["error"]["code"].as_str().unwrap_or_default() {
            "Forbidden" => Problem::new(
                Part::Role,
                text,
                "give the account that the script runs under the user role Advanced Operators in Service Manager",
            ),
            "Unauthorized" => Problem::new(
                Part::ClientIdOrSecret,
                format!("{text}; a new token did not help"),
                "look whether the script was installed anew; give its client ID and client secret",
            ),
            "NotFound" => Problem::new(Part::WorkItem, text, "the incident was removed in Service Manager"),
            "UnknownTemplate" => Problem::new(
                Part::WorkItem,
                text,
                "choose another template; its ProjectionType has to be \
                 System.WorkItem.Incident.ProjectionType",
            ),
            "UnknownField" | "InvalidValue" => {
                Problem::new(Part::WorkItem, text, "look at the names and values of the action's fields")
            }
            "Closed" => Problem::new(
                Part::WorkItem,
                text,
                "Service Manager keeps closed incidents as they are: let alerts resolve them (onResolved)",
            ),
            _ => Problem::new(Part::Url, text, "look whether the URL is that of the web application of this release"),
        };
        problem.with_status(answer.status)
    }
}
