//! Which application asks, and whether it is the one.

use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Uri, header};
use watchkeeper_identity::{Assertion, AssertionError, Certificate, Refusal};
use watchkeeper_state::{PrincipalCertificate, SecretCheck};

use super::super::{App, base_url};
use super::internal;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Applications of Microsoft that sign people in everywhere, as public clients with loopback redirects. Their identities
/// are public knowledge and the same in every tenant.
const WELL_KNOWN: [(&str, &str); 5] = [
    // also what azure-identity signs developers in as
    ("04b07795-8ddb-461a-bbee-02f9e1bf7b46", "Microsoft Azure CLI"),
    ("1950a258-227b-4e31-a9cf-717495945fc2", "Microsoft Azure PowerShell"),
    ("aebc6443-996d-45c2-90f0-388ff96faa56", "Visual Studio Code"),
    ("872cd9fa-d31f-45e0-9eab-6e460a02d1f1", "Visual Studio"),
    ("db662dc1-0cfe-4e1c-a843-19a68e65be58", "Kusto client"),
];

/// An application that signs people in.
pub struct Client {
    pub id: String,
    pub name: String,
    pub is_public: bool,
    pub redirect_uris: Vec<String>,
}

/// What an application shows of itself.
#[derive(Debug, Default)]
pub struct Credentials {
    pub client_id: Option<String>,
    pub secret: Option<String>,
    pub assertion_type: Option<String>,
    pub assertion: Option<String>,
}

/// The application that people sign in to.
pub async fn find(app: &App, client_id: &str) -> Result<Client, Refusal> {
    let known = WELL_KNOWN.iter().find(|(id, _)| id.eq_ignore_ascii_case(client_id));
    if let Some((id, name)) = known {
        let redirect_uris = ["http://localhost", "http://127.0.0.1"].map(str::to_owned).to_vec();
        return Ok(Client { id: (*id).to_owned(), name: (*name).to_owned(), is_public: true, redirect_uris });
    }
    let principal = app.state.principal(client_id).await.map_err(internal)?;
    let principal = principal.ok_or_else(|| Refusal::unknown_client(client_id, app.tokens.tenant_id()))?;
    Ok(Client {
        id: principal.client_id,
        name: principal.name,
        is_public: principal.is_public,
        redirect_uris: principal.redirect_uris,
    })
}

/// The application of a request that redeems what a person granted: public ones show nothing, the others prove it.
pub async fn of_person(app: &App, shown: &Credentials, uri: &Uri, headers: &HeaderMap) -> Result<Client, Refusal> {
    let client_id = shown.client_id.as_deref().ok_or_else(|| Refusal::missing("client_id"))?;
    let client = find(app, client_id).await?;
    match (client.is_public, shown.secret.is_some() || shown.assertion.is_some()) {
        (true, true) => Err(Refusal::public_client(client_id)),
        (true, false) => Ok(client),
        (false, false) => Err(Refusal::not_public(client_id)),
        (false, true) => {
            prove(app, shown, uri, headers).await?;
            Ok(client)
        }
    }
}

/// The client id of an application that proves itself by a secret or an assertion.
pub async fn prove(app: &App, shown: &Credentials, uri: &Uri, headers: &HeaderMap) -> Result<String, Refusal> {
    let read = match &shown.assertion {
        Some(text) => {
            if shown.assertion_type.as_deref() != Some(ASSERTION_TYPE) {
                return Err(Refusal::assertion_type());
            }
            Some(Assertion::read(text).map_err(|error| Refusal::assertion(&error))?)
        }
        None => None,
    };
    // the assertion says it too (RFC 7521, section 4.2)
    let said = read.as_ref().map(|read| read.client_id().to_owned()).filter(|id| !id.is_empty());
    let client_id = shown.client_id.clone().or(said).ok_or_else(|| Refusal::missing("client_id"))?;
    let name = format!("client:{client_id}");
    if let Some(wait) = app.throttle.wait(&name, Instant::now()) {
        return Err(Refusal::too_many(wait.as_secs()));
    }
    let outcome = match (&read, &shown.secret) {
        (Some(assertion), _) => check_assertion(app, &client_id, assertion, uri, headers).await,
        (None, Some(secret)) => check_secret(app, &client_id, secret).await,
        (None, None) => return Err(Refusal::no_credential()),
    };
    match outcome {
        Ok(()) => app.throttle.succeeded(&name),
        Err(refusal) => {
            if refusal.status < 500 {
                app.throttle.failed(&name, Instant::now());
            }
            tracing::info!(client_id, number = refusal.number, "an application was refused");
            return Err(refusal);
        }
    }
    Ok(client_id)
}

async fn check_secret(app: &App, client_id: &str, secret: &str) -> Result<(), Refusal> {
    match app.state.check_principal_secret(client_id, secret).await.map_err(internal)? {
        SecretCheck::Valid(_) => Ok(()),
        SecretCheck::UnknownClient => Err(Refusal::unknown_client(client_id, app.tokens.tenant_id())),
        SecretCheck::WrongSecret => Err(Refusal::wrong_secret(client_id)),
        SecretCheck::Expired => Err(Refusal::expired_secret(client_id)),
    }
}

async fn check_assertion(
    app: &App,
    client_id: &str,
    assertion: &Assertion<'_>,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), Refusal> {
    let refuse = |error: AssertionError| Refusal::assertion(&error);
    if app.state.principal(client_id).await.map_err(internal)?.is_none() {
        return Err(Refusal::unknown_client(client_id, app.tokens.tenant_id()));
    }
    let registered = app.state.principal_certificates(client_id).await.map_err(internal)?;
    let mut certificates = Vec::new();
    for certificate in &registered {
        certificates.push(read(certificate)?);
    }
    let named = assertion.certificate(&certificates).map_err(refuse)?;
    let certificate = named.ok_or_else(|| Refusal::unknown_certificate(client_id, assertion.named()))?;
    let now = chrono::Utc::now().timestamp();
    let proven = assertion.check(certificate, client_id, &audiences(app, uri, headers), now).map_err(refuse)?;
    match app.state.use_assertion(client_id, &proven.identity, proven.until).await.map_err(internal)? {
        true => Ok(()),
        false => Err(refuse(AssertionError::Replayed)),
    }
}

fn read(certificate: &PrincipalCertificate) -> Result<Certificate, Refusal> {
    Certificate::from_pem(&certificate.certificate)
        .map_err(|problem| Refusal::broken_certificate(&certificate.thumbprint, &problem))
}

/// How an assertion may call this authority: by the endpoints of this very tenant. Names that stand for any tenant would
/// take what was meant for another authority.
fn audiences(app: &App, uri: &Uri, headers: &HeaderMap) -> Vec<String> {
    let base = base_url(uri, headers);
    let tenant = app.tokens.tenant_id();
    ["oauth2/v2.0/token", "oauth2/token", "v2.0"].map(|path| format!("{base}/{tenant}/{path}")).to_vec()
}

/// Client id and secret from `Authorization: Basic`, which RFC 6749, section 2.3.1, allows in the place of the form.
pub fn basic_credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |text: &str| {
        let pair = format!("v={text}");
        form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned())
    };
    Some((decode(id)?, decode(secret)?))
}
