//! Tokens that this server signs: ES256 JWTs with the claims that Microsoft's client libraries and services know (those
//! libraries read id_tokens without checking the signature, as they come over TLS; whoever checks it finds the algorithm
//! in the discovery document). The keys follow one another: see `watchkeeper_identity::key_is_due`.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use parking_lot::{Mutex, RwLock};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use watchkeeper_identity::{KeyTimes, key_is_due, published, signing};
use watchkeeper_state::{State, User};

/// How long a token is valid, in seconds.
pub const TOKEN_SECONDS: u64 = 3600;
/// The settings that hold the signing keys begin with this; the key's identity follows.
const KEYS: &str = "identity.signing_keys.";
/// The setting of the one key that was there before keys followed one another.
const FIRST_KEY: &str = "identity.signing_key";
/// How often keys are looked after: a server learns of the keys of the others, and makes one when it is time.
const LOOK_AFTER: Duration = Duration::from_secs(60);
/// Tokens with an unknown key have the keys read again at most this often.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    pub aud: String,
    pub iss: String,
    pub iat: u64,
    pub nbf: u64,
    pub exp: u64,
    /// The client id of the application, in the claim names of both token versions.
    pub appid: String,
    pub azp: String,
    /// The client id of the application, or the id of the user that it acts for.
    pub oid: String,
    pub sub: String,
    pub tid: String,
    pub ver: String,
    /// `app` or `user`; tokens of before have none and are of applications.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub idtyp: String,
    /// Of users: what the application may do for them, their names, and the generation of their tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scp: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_username: Option<String>,
    #[serde(default, rename = "gen", skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
}

impl Claims {
    /// Whether a person is the caller, and not an application by itself.
    pub fn is_user(&self) -> bool {
        self.idtyp == "user"
    }
}

/// Why a token was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid: {0}")]
    Invalid(String),
    #[error("the token is signed with a key that is not one of this server's, or not any more")]
    UnknownKey,
}

/// A key as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    pem: String,
    created_at: i64,
    signs_from: i64,
}

struct Key {
    times: KeyTimes,
    encoding: EncodingKey,
    decoding: DecodingKey,
    public: Vec<u8>,
}

struct Inner {
    tenant_id: String,
    state: State,
    keys: RwLock<Vec<Key>>,
    read_at: Mutex<Instant>,
}

/// Signs and checks tokens of one tenant. Clones share the keys.
#[derive(Clone)]
pub struct Tokens {
    inner: Arc<Inner>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens(tenant: {}, keys: {})", self.inner.tenant_id, self.inner.keys.read().len())
    }
}

impl Tokens {
    /// Opens the signing keys of the store, making one at the first start.
    pub async fn open(state: &State, tenant_id: &str) -> anyhow::Result<Tokens> {
        let tokens = Tokens {
            inner: Arc::new(Inner {
                tenant_id: tenant_id.to_owned(),
                state: state.clone(),
                keys: RwLock::new(Vec::new()),
                read_at: Mutex::new(Instant::now()),
            }),
        };
        if let Some(pem) = state.setting(FIRST_KEY).await? {
            tokens.store_key(pem, 0, 0).await?;
            state.remove_setting(FIRST_KEY).await?;
        }
        tokens.read_keys().await?;
        if tokens.inner.keys.read().is_empty() {
            tokens.make_key(now()).await?;
        }
        Ok(tokens)
    }

    pub fn tenant_id(&self) -> &str {
        &self.inner.tenant_id
    }

    /// A token for an application by itself to use at `audience`; `base` is the address that the client called.
    pub fn issue(&self, client_id: &str, audience: &str, base: &str) -> anyhow::Result<String> {
        let claims = Claims { idtyp: "app".to_owned(), ..self.claims(client_id, client_id, audience, base) };
        self.sign(&claims)
    }

    /// A token for an application to use at `audience` for a person.
    pub fn issue_for_user(
        &self,
        user: &User,
        client_id: &str,
        audience: &str,
        scope: &str,
        base: &str,
    ) -> anyhow::Result<String> {
        let claims = Claims {
            idtyp: "user".to_owned(),
            scp: Some(scope.to_owned()),
            name: Some(user.shown_name().to_owned()),
            preferred_username: Some(user.name.clone()),
            generation: Some(user.token_generation),
            ..self.claims(client_id, &user.id, audience, base)
        };
        self.sign(&claims)
    }

    /// What an application learns of the person who signed in (OpenID Connect Core, section 2). It opens nothing: it
    /// has no `appid`.
    pub fn id_token(&self, user: &User, client_id: &str, nonce: Option<&str>, base: &str) -> anyhow::Result<String> {
        let now = now();
        let mut claims = json!({
            "aud": client_id,
            "iss": format!("{base}/{}/v2.0", self.inner.tenant_id),
            "iat": now,
            "nbf": now,
            "exp": now + TOKEN_SECONDS as i64,
            "sub": user.id,
            "oid": user.id,
            "tid": self.inner.tenant_id,
            "ver": "2.0",
            "name": user.shown_name(),
            "preferred_username": user.name,
        });
        if !user.mail.is_empty() {
            claims["email"] = json!(user.mail);
        }
        if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        self.sign(&claims)
    }

    fn claims(&self, client_id: &str, subject: &str, audience: &str, base: &str) -> Claims {
        let now = u64::try_from(now()).unwrap_or(0);
        Claims {
            aud: audience.to_owned(),
            iss: format!("{base}/{}/v2.0", self.inner.tenant_id),
            iat: now,
            nbf: now,
            exp: now + TOKEN_SECONDS,
            appid: client_id.to_owned(),
            azp: client_id.to_owned(),
            oid: subject.to_owned(),
            sub: subject.to_owned(),
            tid: self.inner.tenant_id.clone(),
            ver: "2.0".to_owned(),
            idtyp: String::new(),
            scp: None,
            name: None,
            preferred_username: None,
            generation: None,
        }
    }

    fn sign<T: Serialize>(&self, claims: &T) -> anyhow::Result<String> {
        let keys = self.inner.keys.read();
        let times: Vec<KeyTimes> = keys.iter().map(|key| key.times.clone()).collect();
        let id = signing(&times, now()).context("there is no signing key whose time has come")?.id.clone();
        let key = keys.iter().find(|key| key.times.id == id).context("the signing key is gone")?;
        let header = Header { kid: Some(id), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, &key.encoding).context("the token cannot be signed")
    }

    /// Checks signature, times and tenant. The audience was checked when the token was issued: this server is behind
    /// every audience that it issues tokens for.
    pub fn check(&self, token: &str) -> Result<Claims, TokenError> {
        let invalid = |error: jsonwebtoken::errors::Error| TokenError::Invalid(error.to_string());
        let header = jsonwebtoken::decode_header(token).map_err(invalid)?;
        let keys = self.inner.keys.read();
        let key = keys.iter().find(|key| Some(&key.times.id) == header.kid.as_ref()).ok_or(TokenError::UnknownKey)?;
        let mut validation = Validation::new(Algorithm::ES256);
        validation.validate_aud = false;
        validation.validate_nbf = true;
        let data =
            jsonwebtoken::decode::<Claims>(token, &key.decoding, &validation).map_err(|error| match error.kind() {
                jsonwebtoken::errors::ErrorKind::ExpiredSignature => TokenError::Expired,
                _ => TokenError::Invalid(error.to_string()),
            })?;
        if data.claims.tid != self.inner.tenant_id {
            return Err(TokenError::Invalid("it is for another tenant".to_owned()));
        }
        Ok(data.claims)
    }

    /// The same; where the key is unknown, another server may have made it: the keys are read again.
    pub async fn check_anew(&self, token: &str) -> Result<Claims, TokenError> {
        match self.check(token) {
            Err(TokenError::UnknownKey) => {
                let due = {
                    let mut read_at = self.inner.read_at.lock();
                    let due = read_at.elapsed() >= READ_AGAIN;
                    if due {
                        *read_at = Instant::now();
                    }
                    due
                };
                if due && let Err(error) = self.read_keys().await {
                    tracing::warn!(%error, "the signing keys cannot be read");
                }
                self.check(token)
            }
            answer => answer,
        }
    }

    /// The public keys, as clients fetch them.
    pub fn key_set(&self) -> Value {
        let keys = self.inner.keys.read();
        let shown = keys.iter().map(|key| {
            let (x, y) = coordinates(&key.public);
            json!({
                "kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256", "kid": key.times.id, "x": x, "y": y,
            })
        });
        json!({"keys": shown.collect::<Vec<_>>()})
    }

    /// Every key's identity, and when it was made and signs from, the oldest first.
    pub fn keys(&self) -> Vec<KeyTimes> {
        let mut times: Vec<KeyTimes> = self.inner.keys.read().iter().map(|key| key.times.clone()).collect();
        times.sort_by_key(|key| key.signs_from);
        times
    }

    /// Has a new key sign from now on. With `forget`, because somebody may know the others, these are removed: every
    /// token of before ends, on the other servers of the group within a minute.
    pub async fn rotate(&self, forget: bool) -> anyhow::Result<()> {
        let old: Vec<String> = self.keys().into_iter().map(|key| key.id).collect();
        self.make_key(now()).await?;
        if forget {
            self.forget_keys(&old).await?;
        }
        Ok(())
    }

    /// Reads the keys of other servers, makes one when the last has signed for `every` seconds, and forgets those whose
    /// tokens have ended.
    pub async fn look_after(&self, every: i64) -> anyhow::Result<()> {
        self.read_keys().await?;
        let times = self.keys();
        if let Some(signs_from) = key_is_due(&times, now(), every) {
            self.make_key(signs_from).await?;
        }
        let times = self.keys();
        let kept: HashSet<&str> = published(&times, now()).into_iter().map(|key| key.id.as_str()).collect();
        let over = times.iter().filter(|key| !kept.contains(key.id.as_str())).map(|key| key.id.clone());
        let over: Vec<String> = over.collect();
        if over.is_empty() { Ok(()) } else { self.forget_keys(&over).await }
    }

    /// Does so until the server stops.
    pub async fn keep_up(self, every: i64, stop: CancellationToken) {
        loop {
            if let Err(error) = self.look_after(every).await {
                tracing::warn!(%error, "the signing keys cannot be looked after");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_AFTER) => {}
            }
        }
    }

    async fn make_key(&self, signs_from: i64) -> anyhow::Result<()> {
        let pem = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?.serialize_pem();
        let id = self.store_key(pem, now(), signs_from).await?;
        tracing::info!(key = id, signs_from, "a new key for tokens");
        self.read_keys().await
    }

    async fn store_key(&self, pem: String, created_at: i64, signs_from: i64) -> anyhow::Result<String> {
        let id = key_id(&pem)?;
        let stored = serde_json::to_string(&Stored { pem, created_at, signs_from })?;
        self.inner.state.put_secret_setting(&format!("{KEYS}{id}"), &stored).await?;
        Ok(id)
    }

    async fn forget_keys(&self, ids: &[String]) -> anyhow::Result<()> {
        for id in ids {
            self.inner.state.remove_setting(&format!("{KEYS}{id}")).await?;
        }
        self.read_keys().await
    }

    async fn read_keys(&self) -> anyhow::Result<()> {
        let mut keys = Vec::new();
        for (name, text) in self.inner.state.settings_below(KEYS).await? {
            let stored: Stored = serde_json::from_str(&text).with_context(|| format!("{name} is damaged"))?;
            let pair = KeyPair::from_pem(&stored.pem).with_context(|| format!("{name} cannot be read"))?;
            let public = pair.public_key_raw().to_vec();
            let (x, y) = coordinates(&public);
            keys.push(Key {
                times: KeyTimes {
                    id: name[KEYS.len()..].to_owned(),
                    created_at: stored.created_at,
                    signs_from: stored.signs_from,
                },
                encoding: EncodingKey::from_ec_pem(stored.pem.as_bytes()).context("the signing key cannot sign")?,
                decoding: DecodingKey::from_ec_components(&x, &y).context("the signing key cannot be checked")?,
                public,
            });
        }
        *self.inner.keys.write() = keys;
        Ok(())
    }
}

fn key_id(pem: &str) -> anyhow::Result<String> {
    let pair = KeyPair::from_pem(pem).context("the signing key of the store cannot be read")?;
    Ok(URL_SAFE_NO_PAD.encode(&digest(&SHA256, pair.public_key_raw()).as_ref()[..16]))
}

/// The two coordinates of an uncompressed P-256 point (0x04, x, y), in base64url.
fn coordinates(public: &[u8]) -> (String, String) {
    let half = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(public.get(range).unwrap_or_default());
    (half(1..33), half(33..65))
}

/// Seconds since the Unix epoch.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs() as i64)
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
        assert!(!claims.is_user());
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
        let unknown = tokens.check_anew(&foreign.issue("client", "aud", "https://h").unwrap()).await;
        assert_eq!(unknown, Err(TokenError::UnknownKey));
        assert!(tokens.check(&other_tenant.issue("client", "aud", "https://h").unwrap()).is_err());
        let user = state.create_user("ada", "x").await.unwrap();
        let id_token = tokens.id_token(&user, "client", Some("n"), "https://h").unwrap();
        assert!(tokens.check(&id_token).is_err(), "an id_token opens nothing");
    }

    #[tokio::test]
    async fn a_new_key_signs_and_the_tokens_of_the_old_one_count_until_they_are_to_end() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open_embedded(dir.path()).await.unwrap();
        let pem = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap().serialize_pem();
        state.put_secret_setting(FIRST_KEY, &pem).await.unwrap();
        let here = Tokens::open(&state, "tenant").await.unwrap();
        let there = Tokens::open(&state, "tenant").await.unwrap();
        assert_eq!(here.keys()[0].id, key_id(&pem).unwrap());
        let before = here.issue("client", "aud", "https://h").unwrap();
        here.rotate(false).await.unwrap();
        let after = here.issue("client", "aud", "https://h").unwrap();
        assert!(here.check(&before).is_ok() && here.check(&after).is_ok());
        assert_eq!(there.check(&after), Err(TokenError::UnknownKey));
        *there.inner.read_at.lock() = Instant::now().checked_sub(READ_AGAIN).unwrap();
        assert!(there.check_anew(&after).await.is_ok(), "the other server reads the keys again");
        // the first key has signed for ever, but its tokens may still be about
        here.look_after(30 * 24 * 3600).await.unwrap();
        assert_eq!(here.keys().len(), 2);
        here.rotate(true).await.unwrap();
        assert_eq!(here.keys().len(), 1);
        assert_eq!(here.check(&after), Err(TokenError::UnknownKey));
    }
}
