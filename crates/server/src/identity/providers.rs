//! Companies' OpenID Connect providers: discovery, the way there and back (authorization code with PKCE, state and
//! nonce), and every check of an id_token (OpenID Connect Core, section 3.1.3.7).

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use watchkeeper_state::{State, StateError};

use crate::computer_groups::trust;
use crate::config::ProviderConfig;

/// How long a provider's documents are believed.
const DOCUMENTS_FOR: Duration = Duration::from_secs(3600);
/// Keys are fetched again for a token with an unknown one, at most this often.
const KEYS_AGAIN: Duration = Duration::from_secs(10);
const REQUEST: Duration = Duration::from_secs(15);
/// Clocks of two machines differ by so many seconds.
const SKEW: u64 = 120;
/// The settings with the providers' secrets begin with this; the name follows.
const SECRETS: &str = "identity.provider_secrets.";

/// Algorithms of id_tokens; none that is made with a secret, and none without a signature.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// What is wrong with a provider or its answer.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    #[error("{0} cannot be reached: {1}")]
    Unreachable(String, String),
    #[error("{0} answered {1}: {2}")]
    Answer(String, u16, String),
    #[error("{address} says that its issuer is {said:?}, and identity.providers says {expected:?}")]
    Issuer { address: String, said: String, expected: String },
    #[error("the id_token is not taken: {0}")]
    Token(String),
    #[error("there is no secret for {0:?}; `watchkeeper identity-providers secret {0}` sets it")]
    NoSecret(String),
    #[error(transparent)]
    State(#[from] StateError),
}

#[derive(Debug, Clone, Deserialize)]
struct Discovery {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

struct Documents {
    discovery: Discovery,
    keys: JwkSet,
    read_at: Instant,
}

/// Who came back from a provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    pub subject: String,
    pub name: String,
    pub display_name: String,
    pub mail: String,
    /// The values of the claim for groups.
    pub groups: Vec<String>,
}

/// One provider.
pub struct Provider {
    pub config: ProviderConfig,
    http: reqwest::Client,
    documents: Mutex<Option<Documents>>,
}

impl Provider {
    /// Reads what the configuration names.
    pub fn new(config: ProviderConfig) -> anyhow::Result<Provider> {
        let name = &config.name;
        let is_name = |letter: u8| letter.is_ascii_alphanumeric() || b"-_.".contains(&letter);
        if name.is_empty() || !name.bytes().all(is_name) {
            bail!("identity.providers has the name {name:?}; a name has letters, digits, and - _ .");
        }
        let is_here = ["http://127.0.0.1", "http://localhost", "http://[::1]"].iter().any(|here| {
            config.issuer.strip_prefix(here).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
        });
        if !config.issuer.starts_with("https://") && !is_here {
            bail!("identity.providers: the issuer of {name:?} is {:?}; it has to begin with https://", config.issuer);
        }
        if !config.scopes.iter().any(|scope| scope == "openid") {
            bail!("identity.providers: the scopes of {name:?} lack openid");
        }
        let trusted = trusted_authorities(&config.ca_file, &config.trusted, "identity.providers")?;
        let tls = trust(&trusted).with_context(|| format!("identity.providers, {name:?}"))?;
        // an answer is never somewhere else
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("cannot make an HTTPS client")?;
        Ok(Provider { config, http, documents: Mutex::new(None) })
    }

    /// What the provider says of itself now: where people are sent, where codes are redeemed, and how many keys it signs
    /// with.
    pub async fn look(&self) -> Result<(String, String, usize), ProviderError> {
        let mut documents = self.documents.lock().await;
        let Documents { discovery, keys, .. } = self.fresh(&mut documents, Duration::ZERO).await?;
        Ok((discovery.authorization_endpoint.clone(), discovery.token_endpoint.clone(), keys.keys.len()))
    }

    /// Where the browser goes.
    pub async fn authorization_url(
        &self,
        redirect_uri: &str,
        state: &str,
        nonce: &str,
        challenge: &str,
    ) -> Result<String, ProviderError> {
        let mut documents = self.documents.lock().await;
        let discovery = &self.fresh(&mut documents, DOCUMENTS_FOR).await?.discovery;
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", &self.config.client_id)
            .append_pair("response_type", "code")
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", &self.config.scopes.join(" "))
            .append_pair("state", state)
            .append_pair("nonce", nonce)
            .append_pair("code_challenge", challenge)
            .append_pair("code_challenge_method", "S256")
            .finish();
        let separator = if discovery.authorization_endpoint.contains('?') { '&' } else { '?' };
        Ok(format!("{}{separator}{query}", discovery.authorization_endpoint))
    }

    /// The person for whom the provider gave a code.
    pub async fn redeem(
        &self,
        state: &State,
        redirect_uri: &str,
        code: &str,
        verifier: &str,
        nonce: &str,
    ) -> Result<Person, ProviderError> {
        let discovery = {
            let mut documents = self.documents.lock().await;
            self.fresh(&mut documents, DOCUMENTS_FOR).await?.discovery.clone()
        };
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
            ("client_id", self.config.client_id.as_str()),
        ];
        let secret = state.setting(&secret_setting(&self.config.name)).await?;
        let mut request = self.http.post(&discovery.token_endpoint).timeout(REQUEST);
        match &secret {
            None if self.config.public => {}
            None => return Err(ProviderError::NoSecret(self.config.name.clone())),
            Some(secret) => {
                let methods = &discovery.token_endpoint_auth_methods_supported;
                // without the list it is client_secret_basic (OpenID Connect Discovery, section 3)
                if methods.is_empty() || methods.iter().any(|method| method == "client_secret_basic") {
                    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                    request = request.basic_auth(encoded(&self.config.client_id), Some(encoded(secret)));
                } else {
                    form.push(("client_secret", secret.as_str()));
                }
            }
        }
        let answer = self.read(request.form(&form), &discovery.token_endpoint).await?;
        let token = answer["id_token"].as_str().unwrap_or_default();
        let claims = self.check(token, nonce).await?;
        Ok(self.person(&claims))
    }

    /// The claims of an id_token that is good.
    async fn check(&self, token: &str, nonce: &str) -> Result<HashMap<String, Value>, ProviderError> {
        let wrong = |what: String| ProviderError::Token(what);
        let header = jsonwebtoken::decode_header(token).map_err(|error| wrong(error.to_string()))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(wrong(format!("its algorithm is {:?}", header.alg)));
        }
        let mut documents = self.documents.lock().await;
        let known = |documents: &Documents| match &header.kid {
            Some(kid) => documents.keys.find(kid).cloned(),
            // one key needs no name
            None => documents.keys.keys.first().filter(|_| documents.keys.keys.len() == 1).cloned(),
        };
        let mut key = known(self.fresh(&mut documents, DOCUMENTS_FOR).await?);
        if key.is_none() {
            key = known(self.fresh(&mut documents, KEYS_AGAIN).await?);
        }
        let key = key.ok_or_else(|| wrong("it is signed with a key that the provider does not publish".to_owned()))?;
        let key = DecodingKey::from_jwk(&key).map_err(|error| wrong(error.to_string()))?;
        let mut validation = Validation::new(header.alg);
        validation.leeway = SKEW;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.config.issuer]);
        validation.set_audience(&[&self.config.client_id]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let data = jsonwebtoken::decode::<HashMap<String, Value>>(token, &key, &validation);
        let claims = data.map_err(|error| wrong(error.to_string()))?.claims;
        if claims.get("nonce").and_then(Value::as_str) != Some(nonce) {
            return Err(wrong("its nonce is not the one of this sign-in".to_owned()));
        }
        let many = claims.get("aud").and_then(Value::as_array).is_some_and(|audiences| audiences.len() > 1);
        let party = claims.get("azp").and_then(Value::as_str);
        if party.is_some_and(|party| party != self.config.client_id) || (many && party.is_none()) {
            return Err(wrong("it was issued to another application (azp)".to_owned()));
        }
        Ok(claims)
    }

    fn person(&self, claims: &HashMap<String, Value>) -> Person {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let subject = text("sub");
        let names = [self.config.name_claim.as_str(), "preferred_username", "email", "sub"];
        let name = names.iter().map(|claim| text(claim)).find(|name| !name.is_empty()).unwrap_or_default();
        let groups = match claims.get(&self.config.groups_claim) {
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Some(Value::String(one)) => vec![one.clone()],
            _ => Vec::new(),
        };
        Person { subject, name, display_name: text("name"), mail: text("email"), groups }
    }

    /// The provider's documents, fetched again where they are older than `age`.
    async fn fresh<'d>(
        &self,
        documents: &'d mut Option<Documents>,
        age: Duration,
    ) -> Result<&'d Documents, ProviderError> {
        if documents.as_ref().is_none_or(|known| known.read_at.elapsed() > age) {
            let address = format!("{}/.well-known/openid-configuration", self.config.issuer.trim_end_matches('/'));
            let answer = self.read(self.http.get(&address).timeout(REQUEST), &address).await?;
            let discovery: Discovery = serde_json::from_value(answer)
                .map_err(|error| ProviderError::Answer(address.clone(), 200, error.to_string()))?;
            if discovery.issuer != self.config.issuer {
                let (said, expected) = (discovery.issuer, self.config.issuer.clone());
                return Err(ProviderError::Issuer { address, said, expected });
            }
            let answer = self.read(self.http.get(&discovery.jwks_uri).timeout(REQUEST), &discovery.jwks_uri).await?;
            let keys = read_keys(answer);
            *documents = Some(Documents { discovery, keys, read_at: Instant::now() });
        }
        documents.as_ref().ok_or_else(|| ProviderError::Token("there are no documents".to_owned()))
    }

    async fn read(&self, request: reqwest::RequestBuilder, address: &str) -> Result<Value, ProviderError> {
        let unreachable = |error: reqwest::Error| {
            let mut text = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(inner) = source {
                text = format!("{text}: {inner}");
                source = inner.source();
            }
            ProviderError::Unreachable(address.to_owned(), text)
        };
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let text = response.text().await.map_err(unreachable)?;
        let body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if !status.is_success() || body.is_null() {
            let said = body["error_description"].as_str().or_else(|| body["error"].as_str());
            let said = said.map_or_else(|| text.chars().take(200).collect(), str::to_owned);
            return Err(ProviderError::Answer(address.to_owned(), status.as_u16(), said));
        }
        Ok(body)
    }
}

/// The keys that are understood: one of a kind that is not must not hide the others.
fn read_keys(answer: Value) -> JwkSet {
    let keys = answer["keys"].as_array().cloned().unwrap_or_default();
    JwkSet { keys: keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect() }
}

/// The authorities of a file and of a text.
pub fn trusted_authorities(file: &Path, text: &str, of: &str) -> anyhow::Result<String> {
    if file.as_os_str().is_empty() {
        return Ok(text.to_owned());
    }
    let read = std::fs::read_to_string(file).with_context(|| format!("cannot read {} ({of})", file.display()))?;
    Ok(format!("{read}\n{text}"))
}

/// The setting with the secret of a provider.
pub fn secret_setting(name: &str) -> String {
    format!("{SECRETS}{name}")
}

/// Keeps the secret that a provider gave for this server.
pub async fn put_secret(state: &State, name: &str, secret: &str) -> Result<(), StateError> {
    state.put_secret_setting(&secret_setting(name), secret).await
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header};
    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
    use serde_json::json;

    use super::*;

    /// A provider whose documents were just fetched, and the key that signs its tokens.
    fn made() -> (Provider, KeyPair) {
        let config = ProviderConfig {
            name: "corp".into(),
            issuer: "https://corp.example".into(),
            client_id: "wk".into(),
            ..ProviderConfig::default()
        };
        let provider = Provider::new(config).unwrap();
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        (provider, pair)
    }

    async fn publish(provider: &Provider, pair: &KeyPair) {
        use base64::Engine;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let point = pair.public_key_raw();
        let part = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&point[range]);
        let key = json!({"kty": "EC", "crv": "P-256", "kid": "k", "x": part(1..33), "y": part(33..65)});
        let discovery = json!({
            "issuer": "https://corp.example", "authorization_endpoint": "https://corp.example/a?b=c",
            "token_endpoint": "https://corp.example/t", "jwks_uri": "https://corp.example/k",
        });
        // a key of a kind that nobody knows is beside it
        let keys = read_keys(json!({"keys": [{"kty": "of the future"}, key]}));
        *provider.documents.lock().await =
            Some(Documents { discovery: serde_json::from_value(discovery).unwrap(), keys, read_at: Instant::now() });
    }

    fn signed(pair: &KeyPair, header: Header, claims: &Value) -> String {
        let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap();
        jsonwebtoken::encode(&header, claims, &key).unwrap()
    }

    #[tokio::test]
    async fn an_id_token_counts_for_this_issuer_application_and_sign_in_alone() {
        let (provider, pair) = made();
        publish(&provider, &pair).await;
        let now = chrono::Utc::now().timestamp();
        let good = json!({
            "iss": "https://corp.example", "aud": "wk", "sub": "s", "nonce": "n", "exp": now + 60, "iat": now,
            "email": "a@corp.example", "groups": ["ops"],
        });
        let header = || Header { kid: Some("k".into()), ..Header::new(Algorithm::ES256) };
        let claims = provider.check(&signed(&pair, header(), &good), "n").await.unwrap();
        let person = provider.person(&claims);
        assert_eq!((person.subject.as_str(), person.name.as_str()), ("s", "a@corp.example"));
        assert_eq!(person.groups, ["ops"]);
        for (claim, value) in [
            ("iss", json!("https://else.example")),
            ("aud", json!("else")),
            ("aud", json!(["wk", "else"])),
            ("azp", json!("else")),
            ("exp", json!(now - 600)),
            ("nbf", json!(now + 600)),
            ("nonce", json!("else")),
            ("sub", Value::Null),
        ] {
            let mut changed = good.clone();
            changed[claim] = value;
            assert!(provider.check(&signed(&pair, header(), &changed), "n").await.is_err(), "{changed}");
        }
        let foreign = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        assert!(provider.check(&signed(&foreign, header(), &good), "n").await.is_err());
        let with_secret = jsonwebtoken::encode(&Header::default(), &good, &EncodingKey::from_secret(b"wk")).unwrap();
        assert!(provider.check(&with_secret, "n").await.is_err());
        assert!(provider.check("e30.e30.", "n").await.is_err());
    }

    #[tokio::test]
    async fn the_browser_goes_to_the_provider_with_everything_that_has_to_come_back() {
        let (provider, pair) = made();
        publish(&provider, &pair).await;
        let address = provider.authorization_url("https://wk/cb", "s", "n", "c").await.unwrap();
        assert_eq!(
            address,
            "https://corp.example/a?b=c&client_id=wk&response_type=code&redirect_uri=https%3A%2F%2Fwk%2Fcb&\
             scope=openid+profile+email&state=s&nonce=n&code_challenge=c&code_challenge_method=S256"
        );
    }

    #[test]
    fn a_provider_is_reached_over_https_and_has_a_name_for_addresses() {
        let refused = |change: fn(&mut ProviderConfig)| {
            let mut config = made().0.config;
            change(&mut config);
            Provider::new(config).is_err()
        };
        assert!(refused(|config| config.name = "a/b".into()));
        assert!(refused(|config| config.issuer = "http://corp.example".into()));
        assert!(refused(|config| config.issuer = "http://localhost.evil".into()));
        assert!(refused(|config| config.scopes = vec!["profile".into()]));
        assert!(!refused(|config| config.issuer = "http://localhost:8080/x".into()));
    }
}
