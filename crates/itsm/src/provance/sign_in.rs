//! Tokens of Microsoft Entra ID for the user of the form ("OAuth 2.0 Resource Owner Password Credentials"), and what
//! refusals mean. Where they are issued the product itself says ("Use OAuth authentication with Dataverse": a request
//! without a token is answered with the address).

use async_trait::async_trait;
use serde_json::Value;

use super::{API, Provance};
use crate::connection::plain_url;
use crate::http::{Answer, Http, Request};
use crate::problem::{Part, Problem};
use crate::session::{SignIn, Token};

#[async_trait]
impl SignIn for Provance {
    async fn sign_in(&self, http: &Http, refresh: &str) -> Result<Token, Problem> {
        let issuer = self.issuer(http).await?;
        if !refresh.is_empty() {
            let answer = http.send(&self.token_request(&issuer, refresh)).await?;
            if answer.is_success() {
                return Token::of(&answer);
            }
            tracing::debug!(status = answer.status, "the refresh token has ended; the password is used");
        }
        let answer = http.send(&self.token_request(&issuer, "")).await?;
        match answer.is_success() {
            true => Token::of(&answer),
            false => Err(self.refused(&issuer, &answer)),
        }
    }
}

impl Provance {
    fn token_request(&self, issuer: &str, refresh: &str) -> Request {
        let mut form = vec![("client_id", self.settings.client_id.clone())];
        // an application of the registry that is no public client has a secret, too
        if !self.secrets.client_secret.is_empty() {
            form.push(("client_secret", self.secrets.client_secret.clone()));
        }
        match issuer.contains("/adfs/") {
            // of a company's own AD FS
            true => form.push(("resource", format!("{}/", self.settings.url))),
            false => form.push(("scope", format!("{}/.default offline_access", self.settings.url))),
        }
        if refresh.is_empty() {
            form.push(("grant_type", "password".to_owned()));
            form.push(("username", self.settings.user_name.clone()));
            form.push(("password", self.secrets.password.clone()));
        } else {
            form.push(("grant_type", "refresh_token".to_owned()));
            form.push(("refresh_token", refresh.to_owned()));
        }
        Request::form(issuer, form)
    }

    /// The address where tokens are issued: the form's, or the one that the product names.
    async fn issuer(&self, http: &Http) -> Result<String, Problem> {
        if !self.settings.token_url.is_empty() {
            return Ok(self.settings.token_url.clone());
        }
        let mut known = self.issuer.lock().await;
        if let Some(known) = known.as_ref() {
            return Ok(known.clone());
        }
        let answer = http.send(&Request::get(format!("{API}/WhoAmI"))).await?;
        if let Some(problem) = answer.web_page().filter(|_| answer.status != 401) {
            return Err(problem);
        }
        let named = answer.header("www-authenticate").and_then(authorization_uri);
        let Some(named) = named.filter(|_| answer.status == 401) else {
            let message =
                format!("{}{API} answered {}: it is no Dataverse environment", self.settings.url, answer.status);
            let advice = "write the address of the environment, https://ORGANIZATION.crm.dynamics.com; where tokens \
                          are issued elsewhere, give the token URL";
            return Err(Problem::new(Part::Url, message, advice).with_status(answer.status));
        };
        let issuer = plain_url(&token_endpoint(&named))?;
        *known = Some(issuer.clone());
        Ok(issuer)
    }

    /// Why no token was issued. The numbers are those of "Microsoft Entra authentication and authorization error
    /// codes".
    fn refused(&self, issuer: &str, answer: &Answer) -> Problem {
        if let Some(problem) = answer.web_page() {
            return problem;
        }
        let body = answer.value().unwrap_or(Value::Null);
        let error = body["error"].as_str().unwrap_or_default();
        let said = body["error_description"].as_str().unwrap_or(error);
        let said = said.split(['\r', '\n']).next().unwrap_or_default();
        let code: String =
            said.strip_prefix("AADSTS").unwrap_or_default().chars().take_while(char::is_ascii_digit).collect();
        let (user, client) = (&self.settings.user_name, &self.settings.client_id);
        let problem = match code.as_str() {
            "50126" => Problem::new(
                Part::UserOrPassword,
                format!("Microsoft Entra does not take the user {user:?} with this password: {said}"),
                "try both at https://portal.office.com",
            ),
            "50034" => Problem::new(
                Part::User,
                format!("Microsoft Entra does not know the user {user:?}: {said}"),
                "write the user's principal name, for instance integration@example.com",
            ),
            "50053" | "50057" => Problem::new(
                Part::User,
                format!("the account of {user:?} is locked or disabled: {said}"),
                "have it unlocked in Microsoft Entra",
            ),
            "50055" | "50144" => Problem::new(
                Part::Password,
                format!("the password of {user:?} has expired: {said}"),
                "sign in once by hand, choose another password, and give it here",
            ),
            "50076" | "50079" | "50158" | "53003" => Problem::new(
                Part::User,
                format!("{user:?} may not sign in with a password alone: {said}"),
                "take an account that conditional access does not ask for a second factor",
            ),
            "700016" => Problem::new(
                Part::ClientId,
                format!("Microsoft Entra does not know the application {client:?}: {said}"),
                "write the Application (client) ID of the registration, of the environment's own tenant",
            ),
            "65001" => Problem::new(
                Part::ClientId,
                format!("the application {client:?} has no consent: {said}"),
                "give it the permission Dynamics CRM, user_impersonation, with an administrator's consent",
            ),
            "7000218" => Problem::new(
                Part::ClientSecret,
                format!("the application {client:?} asks for a secret: {said}"),
                "allow public client flows in its registration, or give its client secret",
            ),
            "7000215" | "7000222" => Problem::new(
                Part::ClientSecret,
                format!("the secret of the application {client:?} is wrong or has expired: {said}"),
                "make a new one in its registration, and give its value, not its ID",
            ),
            "90002" => Problem::new(
                Part::Url,
                format!("{issuer} is of no known tenant: {said}"),
                "write the token URL of the environment's tenant, or none",
            ),
            _ if error == "invalid_client" => Problem::new(
                Part::ClientIdOrSecret,
                format!("no token is issued for the application {client:?}: {said}"),
                "compare client ID and client secret with the application's registration",
            ),
            _ if error == "invalid_grant" => Problem::new(
                Part::UserOrPassword,
                format!("no token is issued for the user {user:?}: {said}"),
                "try user and password at https://portal.office.com",
            ),
            _ => Problem::new(
                Part::Url,
                format!("{issuer} answered {} and issues no tokens: {said}", answer.status),
                "write the token URL of the environment's tenant, or none",
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
        let code = body["error"]["code"].as_str().unwrap_or_default();
        let said = match body["error"]["message"].as_str() {
            Some(message) => format!("{code} {message}"),
            None => answer.shown(),
        };
        let text = format!("{} answered {}: {}", answer.path, answer.status, said.trim());
        const ROLE: &str = "give the user a security role of Provance (its documents ask for Administrator) with the \
                            rights to read, create, write, append and append to on the table";
        let problem = match (answer.status, code) {
            // SecLib::AccessCheckEx and missing privileges
            (403, _) | (_, "0x80040220" | "0x80042f09") => Problem::new(Part::Role, text, ROLE),
            // the user is no member of the organization, or disabled there
            (_, "0x80072560" | "0x80041d1f") => Problem::new(
                Part::User,
                text,
                "add the user to the environment, with a licence and a security role of Provance",
            ),
            (401, _) => Problem::new(
                Part::UserOrPassword,
                format!("{text}; a new token did not help"),
                "look whether the user is still active in the environment; Sync tries again",
            ),
            (404, "0x80040217") => Problem::new(Part::WorkItem, text, "the row was removed in the product"),
            (404, "0x80060888" | "") => {
                Problem::new(Part::Url, text, "write the address of the Dataverse environment alone")
            }
            _ => Problem::new(Part::WorkItem, text, "look at the names and values of the action's fields"),
        };
        problem.with_status(answer.status)
    }
}

/// `Bearer authorization_uri=https://login.microsoftonline.com/TENANT/oauth2/authorize, resource_id=…`
fn authorization_uri(header: &str) -> Option<String> {
    let (_, rest) = header.split_once("authorization_uri=")?;
    let uri = rest.trim_start_matches('"').split([',', '"', ' ']).next()?.trim();
    (!uri.is_empty()).then(|| uri.to_owned())
}

/// Where tokens are issued, of where people sign in.
fn token_endpoint(authorize: &str) -> String {
    let base = authorize.trim_end_matches("/authorize");
    match base.strip_suffix("/oauth2/v2.0").or_else(|| base.strip_suffix("/oauth2")) {
        Some(tenant) if !tenant.ends_with("/adfs") => format!("{tenant}/oauth2/v2.0/token"),
        _ => format!("{base}/token"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_product_says_where_tokens_are_issued() {
        let header = "Bearer authorization_uri=https://login.microsoftonline.com/t/oauth2/authorize, \
                      resource_id=https://org.crm.dynamics.com/";
        let named = authorization_uri(header).unwrap();
        assert_eq!(token_endpoint(&named), "https://login.microsoftonline.com/t/oauth2/v2.0/token");
        assert_eq!(
            token_endpoint("https://sts.example.com/adfs/oauth2/authorize"),
            "https://sts.example.com/adfs/oauth2/token"
        );
        assert_eq!(authorization_uri("Bearer realm=x"), None);
    }
}
