//! Answers of the administration service that are refusals, and what they mean.

use std::time::Duration;

use http::HeaderValue;
use http::header::RETRY_AFTER;
use serde_json::Value;

use crate::client::SignIn;
use crate::problem::{Part, Problem};
use crate::transport::Answer;

/// How much of an answer that was not understood is shown.
const SHOWN_CHARS: usize = 300;

/// The seconds of a header `Retry-After`; dates are not waited for.
pub(crate) fn seconds_of(value: &HeaderValue) -> Option<Duration> {
    value.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// What a status that is not 200 means. `what` is the path that was asked.
pub(crate) fn refused(answer: &Answer, origin: &str, what: &str, sign_in: &SignIn) -> Problem {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let said = said(&body, &answer.body);
    let status = answer.status;
    let who = sign_in.who();
    let problem = match status {
        401 => match sign_in {
            SignIn::Token(application) => Problem::new(
                Part::AppIdUri,
                format!("{origin} does not take the token of {who}: {said}"),
                format!(
                    "look whether {:?} is the App ID URI of the web app of this site, and whether tokens reach the \
                     address: the SMS Provider itself takes Windows accounts alone, a cloud management gateway tokens",
                    application.app_id_uri
                ),
            ),
            SignIn::Kerberos(..) => Problem::new(
                Part::Account,
                format!("{origin} does not take the Kerberos ticket of {who}"),
                "look at the service principal name HTTP/HOST of the SMS Provider's computer, and at the clocks",
            ),
            SignIn::Windows(_) => Problem::new(
                Part::Account,
                format!("{origin} does not take user name and password of {who}"),
                "write the account as DOMAIN\\user or user@domain, and look whether its password has expired or it is \
                 locked",
            ),
        },
        403 => role(&who, origin, &said),
        // WMI's refusal comes as if nothing were there
        404 if said.to_ascii_lowercase().contains("access denied") => role(&who, origin, &said),
        404 if body["error"].is_object() => Problem::new(
            Part::Version,
            format!("{origin} does not know {what}: {said}"),
            "look at the version of the site",
        ),
        404 => Problem::new(
            Part::Service,
            format!("{origin} has no administration service at {what}"),
            "enter the address of the server with the SMS Provider role; the administration service is part of \
             Configuration Manager since 1810",
        ),
        300..=399 => Problem::new(
            Part::Address,
            format!("{origin} sends elsewhere (status {status})"),
            "enter the address where the administration service is",
        ),
        429 | 500.. => Problem::new(
            Part::Busy,
            format!("{origin} cannot answer now (status {status}) {said}"),
            "it is tried again later; if it stays, look at adminservice.log on the SMS Provider",
        ),
        _ => Problem::new(
            Part::Answer,
            format!("{origin} refuses {what} (status {status}): {said}"),
            "look at adminservice.log on the SMS Provider",
        ),
    };
    Problem { retry_after: answer.headers.get(RETRY_AFTER).and_then(seconds_of), ..problem }.with_status(status)
}

fn role(who: &str, origin: &str, said: &str) -> Problem {
    Problem::new(
        Part::Role,
        format!("{who} may not read at {origin}: {said}"),
        "make it an administrative user of Configuration Manager with the security role Read-only Analyst and the \
         collections in its scope (console, Administration, Security, Administrative Users)",
    )
}

fn said(body: &Value, bytes: &[u8]) -> String {
    let error = &body["error"];
    let text = match error["message"].as_str() {
        Some(message) => message.to_owned(),
        None => String::from_utf8_lossy(&bytes[..bytes.len().min(4 * SHOWN_CHARS)]).into_owned(),
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SHOWN_CHARS).collect()
}
