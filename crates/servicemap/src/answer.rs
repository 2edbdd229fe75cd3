//! Answers that are refusals: what the token endpoint and the resource manager mean by them.

use serde_json::Value;

use crate::client::Settings;
use crate::problem::{Kind, Problem};

/// What of a connection a refused token means: the numbers of the errors (AADSTS) of Microsoft's identity platform.
pub(crate) fn token_refused(status: u16, body: &Value, settings: &Settings) -> Problem {
    let described = body["error_description"].as_str().unwrap_or_default();
    // what follows the first sentences are identities for a support case
    let said = described.split(" Trace ID:").next().unwrap_or_default().trim();
    let number = body["error_codes"][0].as_u64().or_else(|| {
        let digits = described.strip_prefix("AADSTS")?;
        digits.split(|one: char| !one.is_ascii_digit()).next()?.parse().ok()
    });
    let (tenant, application) = (&settings.tenant, &settings.application_id);
    let tenant_wrong = || {
        Problem::new(
            Kind::Tenant,
            format!(
                "the tenant {tenant:?} is not known at {}: {said} Enter the tenant's id or name",
                settings.authority
            ),
        )
    };
    let application_wrong = || {
        Problem::new(
            Kind::Application,
            format!(
                "the application {application:?} cannot sign in at the tenant {tenant:?}: {said} Enter the application \
                 (client) id of the service principal, and look whether it still exists"
            ),
        )
    };
    match number {
        Some(90_002 | 900_021 | 900_023 | 50_059 | 500_021) => tenant_wrong(),
        Some(700_016 | 7_000_112 | 700_027 | 500_011) => application_wrong(),
        Some(7_000_222) => Problem::new(
            Kind::SecretExpired,
            format!(
                "the secret of the application {application:?} has expired. Make a new one for the service principal and \
                 give it to the connection (`watchkeeper service-map set NAME --secret-file FILE`)"
            ),
        ),
        Some(7_000_215 | 7_000_216 | 7_000_218) => secret_wrong(application),
        _ => match (status, body["error"].as_str()) {
            (429 | 500.., _) => Problem::new(
                Kind::Busy,
                format!("{} gives no token now (status {status}). Try again later; {said}", settings.authority),
            ),
            (_, Some("invalid_client")) => secret_wrong(application),
            (_, Some("unauthorized_client")) => application_wrong(),
            (_, Some(error)) => Problem::new(
                Kind::Answer,
                format!("{} gives no token: {error}, status {status}. {said}", settings.authority),
            ),
            (_, None) => Problem::new(
                Kind::Answer,
                format!(
                    "what answers at {} is no token endpoint (status {status}). Enter the address of the authority, \
                     https://HOST or https://HOST:PORT",
                    settings.authority
                ),
            ),
        },
    }
}

fn secret_wrong(application: &str) -> Problem {
    Problem::new(
        Kind::Secret,
        format!(
            "the secret is not one of the application {application:?}. Give the value of the secret, not its id \
             (`watchkeeper service-map set NAME --secret-file FILE`)"
        ),
    )
}

/// What is asked for, for a refusal's text.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asked<'a> {
    Subscriptions,
    Subscription(&'a str),
    Workspace { subscription: &'a str, resource_group: &'a str, workspace: &'a str },
}

/// What a refusal of the resource manager means.
pub(crate) fn refused(status: u16, body: &Value, asked: Asked<'_>, settings: &Settings) -> Problem {
    let error = &body["error"];
    let (code, message) = (error["code"].as_str().unwrap_or_default(), error["message"].as_str().unwrap_or_default());
    let place = match asked {
        Asked::Subscriptions => settings.endpoint.clone(),
        Asked::Subscription(subscription) => format!("the subscription {subscription:?}"),
        Asked::Workspace { workspace, .. } => format!("the workspace {workspace:?}"),
    };
    match (status, code, asked) {
        (401, ..) => Problem::new(
            Kind::Role,
            format!(
                "{} does not take the token of the application {:?}: {message}. Look whether the service principal still \
                 exists and may use this address",
                settings.endpoint, settings.application_id
            ),
        ),
        (403, ..) => Problem::new(
            Kind::Role,
            format!(
                "the application {:?} has no role in {place}, or no longer. Give it the role Reader there; of Azure it can \
                 take some minutes until that holds",
                settings.application_id
            ),
        ),
        (404, "SubscriptionNotFound" | "InvalidSubscriptionId", _) | (404, _, Asked::Subscription(_)) => {
            let name = match asked {
                Asked::Subscription(subscription) | Asked::Workspace { subscription, .. } => subscription,
                Asked::Subscriptions => "",
            };
            Problem::new(
                Kind::Subscription,
                format!(
                    "there is no subscription {name:?} that the application may see. Choose one of those that are listed"
                ),
            )
        }
        (404, "ResourceGroupNotFound", Asked::Workspace { resource_group, .. }) => Problem::new(
            Kind::ResourceGroup,
            format!("there is no resource group {resource_group:?} in the subscription"),
        ),
        (404, _, Asked::Workspace { workspace, resource_group, .. }) if error.is_object() => Problem::new(
            Kind::Workspace,
            format!(
                "the workspace {workspace:?} is not in the resource group {resource_group:?}, or no longer. Choose another \
                 one, or remove the connection"
            ),
        ),
        (429 | 500.., ..) => Problem::new(
            Kind::Busy,
            format!("{} cannot answer now: status {status} {message}. Try again later", settings.endpoint),
        ),
        _ => Problem::new(
            Kind::Answer,
            format!(
                "what answers at {} does not speak the Service Map API: status {status} {code} {message}. Look at the \
                 endpoint, https://HOST or https://HOST:PORT",
                settings.endpoint
            ),
        ),
    }
}
