//! Access tokens: ES256 JWTs with the claims that Microsoft's client libraries and services know.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use watchkeeper_state::State;

/// How long a token is valid, in seconds.
pub const TOKEN_SECONDS: u64 = 3600;
/// The setting that holds the signing key.
const KEY_SETTING: &str = "identity.signing_key";

/// What a token says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    pub aud: String,
    pub iss: String,
    pub iat: u64,
    pub nbf: u64,
    pub exp: u64,
    /// The client id of the principal, in the claim names of both token versions.
    pub appid: String,
    pub azp: String,
    pub oid: String,
    pub sub: String,
    pub tid: String,
    pub ver: String,
}

/// Why a token was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid: {0}")]
    Invalid(String),
}

/// Signs and checks tokens of one tenant.
pub struct Tokens {
    tenant_id: String,
    key_id: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
    public: Vec<u8>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens(tenant: {}, key: {})", self.tenant_id, self.key_id)
    }
}

impl Tokens {
    /// Opens the signing key of the store, making one at the first start.
    pub async fn open(state: &State, tenant_id: &str) -> anyhow::Result<Tokens> {
        let pem = match state.setting(KEY_SETTING).await? {
            Some(pem) => pem,
            None => {
                let pem = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?.serialize_pem();
                state.put_secret_setting(KEY_SETTING, &pem).await?;
                pem
            }
        };
        let pair = KeyPair::from_pem(&pem).context("the signing key of the store cannot be read")?;
        let public = pair.public_key_raw().to_vec();
        let (x, y) = coordinates(&public);
        Ok(Tokens {
            tenant_id: tenant_id.to_owned(),
            key_id: URL_SAFE_NO_PAD.encode(&digest(&SHA256, &public).as_ref()[..16]),
            encoding: EncodingKey::from_ec_pem(pem.as_bytes()).context("the signing key cannot sign")?,
            decoding: DecodingKey::from_ec_components(&x, &y).context("the signing key cannot be checked")?,
            public,
        })
    }

    pub fn tenant_id(&self) -> &str {
        &self.tenant_id
    }

    /// A token for a principal to use at `audience`; `base` is the address that the client called.
    pub fn issue(&self, client_id: &str, audience: &str, base: &str) -> anyhow::Result<String> {
        let now = unix_seconds();
        let claims = Claims {
            aud: audience.to_owned(),
            iss: format!("{base}/{}/v2.0", self.tenant_id),
            iat: now,
            nbf: now,
            exp: now + TOKEN_SECONDS,
            appid: client_id.to_owned(),
            azp: client_id.to_owned(),
            oid: client_id.to_owned(),
            sub: client_id.to_owned(),
            tid: self.tenant_id.clone(),
            ver: "2.0".to_owned(),
        };
        let header = Header { kid: Some(self.key_id.clone()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, &claims, &self.encoding).context("the token cannot be signed")
    }

    /// Checks signature, times and tenant. The audience was checked when the token was issued: this server is behind
    /// every audience that it issues tokens for.
    pub fn check(&self, token: &str) -> Result<Claims, TokenError> {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.validate_aud = false;
        validation.validate_nbf = true;
        let data =
            jsonwebtoken::decode::<Claims>(token, &self.decoding, &validation).map_err(|error| match error.kind() {
                jsonwebtoken::errors::ErrorKind::ExpiredSignature => TokenError::Expired,
                _ => TokenError::Invalid(error.to_string()),
            })?;
        if data.claims.tid != self.tenant_id {
            return Err(TokenError::Invalid("it is for another tenant".to_owned()));
        }
        Ok(data.claims)
    }

    /// The public key, as clients fetch it.
    pub fn key_set(&self) -> Value {
        let (x, y) = coordinates(&self.public);
        json!({"keys": [{
            "kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256", "kid": self.key_id, "x": x, "y": y,
        }]})
    }
}

/// The two coordinates of an uncompressed P-256 point (0x04, x, y), in base64url.
fn coordinates(public: &[u8]) -> (String, String) {
    let half = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(public.get(range).unwrap_or_default());
    (half(1..33), half(33..65))
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_token_is_accepted_by_its_own_server_also_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open_embedded(dir.path()).await.unwrap();
        let tokens = Tokens::open(&state, "tenant").await.unwrap();
        let token = tokens.issue("client", "https://api.loganalytics.io", "https://localhost:1").unwrap();
        let again = Tokens::open(&state, "tenant").await.unwrap();
        let claims = again.check(&token).unwrap();
        assert_eq!((claims.appid.as_str(), claims.aud.as_str()), ("client", "https://api.loganalytics.io"));
        assert_eq!(again.key_set(), tokens.key_set());
    }

    #[tokio::test]
    async fn a_changed_foreign_or_other_tenants_token_is_refused() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let state = State::open_embedded(one.path()).await.unwrap();
        let tokens = Tokens::open(&state, "tenant").await.unwrap();
        let other_tenant = Tokens::open(&state, "else").await.unwrap();
        let foreign = Tokens::open(&State::open_embedded(two.path()).await.unwrap(), "tenant").await.unwrap();
        let token = tokens.issue("client", "aud", "https://h").unwrap();
        let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
        let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&parts[1]).unwrap()).unwrap();
        claims["appid"] = json!("somebody else");
        parts[1] = URL_SAFE_NO_PAD.encode(claims.to_string());
        assert!(tokens.check(&parts.join(".")).is_err());
        parts[0] = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        parts[2].clear();
        assert!(tokens.check(&parts.join(".")).is_err());
        assert!(tokens.check(&foreign.issue("client", "aud", "https://h").unwrap()).is_err());
        assert!(tokens.check(&other_tenant.issue("client", "aud", "https://h").unwrap()).is_err());
    }
}
