//! Tokens of an application (client credentials, OAuth 2.0), and what a refused one means: the numbers of the errors
//! (AADSTS) of Microsoft's identity platform.

use std::time::{Duration, Instant};

use http::header::RETRY_AFTER;
use serde_json::Value;
use tokio_rustls::TlsConnector;

use crate::answer::seconds_of;
use crate::client::{Application, check_application};
use crate::problem::{Part, Problem};
use crate::transport::{Answer, Line, Place, Sent, broken, request, trust};

/// A token is renewed so long before its end.
const EARLY: Duration = Duration::from_secs(120);
const LONGEST_SECONDS: u64 = 86_400;

/// A token and its end.
#[derive(Clone)]
pub(crate) struct Token {
    pub value: String,
    pub until: Instant,
}

/// Asks for a token.
///
/// # Errors
/// What of authority, tenant, application, secret or address of the service is wrong.
pub(crate) async fn token(tls: &TlsConnector, application: &Application) -> Result<Token, Problem> {
    let place = Place::read("authority", &application.authority)?;
    let path = format!("{}/{}/oauth2/v2.0/token", place.path, application.tenant);
    let scope = format!("{}/.default", application.app_id_uri.trim_end_matches('/'));
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", &application.client_id)
        .append_pair("client_secret", &application.secret)
        .append_pair("scope", &scope)
        .finish();
    let asked = Instant::now();
    let mut line = Line::connect(tls, &place).await?;
    let answer = line.send(request(&place, &path, None, Sent::Form(&form))?).await;
    let answer = answer.map_err(|lost| broken(&place.origin(), &lost))?;
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    if answer.status != 200 {
        return Err(refused(&answer, &body, application));
    }
    let value = body["access_token"].as_str().ok_or_else(|| {
        let message = format!("what {} answers has no access_token", place.origin());
        Problem::new(Part::Answer, message, "look at the environment of the connection")
    })?;
    let seconds = body["expires_in"].as_u64().unwrap_or(300).min(LONGEST_SECONDS);
    // a short-lived one serves half of its life
    let lasts = Duration::from_secs(seconds);
    let lasts = lasts.saturating_sub(EARLY).max(lasts / 2);
    Ok(Token { value: value.to_owned(), until: asked + lasts })
}

/// Signs an application in, for nothing but to see whether it can.
///
/// # Errors
/// What of it is wrong.
pub async fn sign_in(application: &Application, trusted: &str, limit: Duration) -> Result<(), Problem> {
    check_application(application)?;
    let tls = trust(trusted)?;
    match tokio::time::timeout(limit, token(&tls, application)).await {
        Ok(outcome) => outcome.map(drop),
        Err(_) => {
            let message = format!("{} gave no token within {} s", application.authority, limit.as_secs());
            Err(Problem::new(Part::Timeout, message, "look at the environment and at firewalls on the way"))
        }
    }
}

fn refused(answer: &Answer, body: &Value, application: &Application) -> Problem {
    let described = body["error_description"].as_str().unwrap_or_default();
    // what follows the first sentences are identities for a support case
    let said = described.split(" Trace ID:").next().unwrap_or_default().lines().next().unwrap_or_default().trim();
    let number = body["error_codes"][0].as_u64().or_else(|| {
        let digits = described.strip_prefix("AADSTS")?;
        digits.split(|one: char| !one.is_ascii_digit()).next()?.parse().ok()
    });
    let Application { tenant, client_id, authority, app_id_uri, .. } = application;
    let problem = match (number, answer.status, body["error"].as_str()) {
        (Some(90_002 | 900_021 | 900_023 | 50_059 | 500_021), ..) => Problem::new(
            Part::Tenant,
            format!("the tenant {tenant:?} is not known at {authority}: {said}"),
            "enter the Azure AD tenant's id or name",
        ),
        (Some(500_011 | 70_011 | 1_002_012), ..) | (_, _, Some("invalid_scope" | "invalid_resource")) => Problem::new(
            Part::AppIdUri,
            format!("there is no application with the App ID URI {app_id_uri:?} in the tenant {tenant:?}: {said}"),
            "enter the App ID URI of the web app that Configuration Manager was registered with",
        ),
        (Some(700_016 | 7_000_112 | 700_027), ..) => application_wrong(application, said),
        (Some(7_000_222), ..) => Problem::new(
            Part::SecretExpired,
            format!("the secret key of the application {client_id:?} has expired"),
            "make a new one and give it to the connection (`watchkeeper configmgr renew NAME --secret-file FILE`)",
        ),
        (Some(7_000_215 | 7_000_216 | 7_000_218), ..) => secret_wrong(client_id),
        (_, 429 | 500.., _) => Problem::new(
            Part::Busy,
            format!("{authority} gives no token now (status {}) {said}", answer.status),
            "it is tried again later",
        ),
        (_, _, Some("invalid_client")) => secret_wrong(client_id),
        (_, _, Some("unauthorized_client")) => application_wrong(application, said),
        (_, status, Some(error)) => Problem::new(
            Part::Answer,
            format!("{authority} gives no token: {error}, status {status} {said}"),
            "look at the application's registration",
        ),
        (_, status, None) => Problem::new(
            Part::Answer,
            format!("what answers at {authority} is no token endpoint (status {status})"),
            "look at the environment of the connection",
        ),
    };
    let retry_after = answer.headers.get(RETRY_AFTER).and_then(seconds_of);
    Problem { retry_after, ..problem }.with_status(answer.status)
}

fn application_wrong(application: &Application, said: &str) -> Problem {
    let Application { tenant, client_id, .. } = application;
    Problem::new(
        Part::Application,
        format!("the application {client_id:?} cannot sign in at the tenant {tenant:?}: {said}"),
        "enter the client (application) ID of the registration, and look whether it still exists",
    )
}

fn secret_wrong(client_id: &str) -> Problem {
    Problem::new(
        Part::Secret,
        format!("the secret key is not one of the application {client_id:?}"),
        "give the value of the secret, not its id (`watchkeeper configmgr renew NAME --secret-file FILE`)",
    )
}
