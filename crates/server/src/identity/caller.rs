//! From the headers of a request to the caller and what it was given.

use http::{HeaderMap, Method, header};
use ring::digest::{SHA256, digest};
use watchkeeper_authorization::{Access, Action, Denied, Scope};
use watchkeeper_state::{State, StateError};

use super::{TokenError, Tokens};
use crate::audit::{Trail, Who};
use crate::authorization::access_of;

/// The cookie of a console session; the prefix makes browsers insist on Secure and the path `/`.
pub const SESSION_COOKIE: &str = "__Host-watchkeeper";

/// The console's requests have this header while nobody touches its page.
const IDLE_HEADER: &str = "x-watchkeeper-idle";

/// An authenticated caller.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The client id of a principal or the id of a user.
    pub subject: String,
    pub name: String,
    /// User or ServicePrincipal.
    pub kind: &'static str,
    /// What it was given.
    pub access: Access,
    /// The row of `Audit` of this call.
    pub trail: Trail,
}

impl Caller {
    /// In the place of a caller that was not let in.
    pub fn nobody() -> Caller {
        Caller::new(Who { kind: "", id: String::new(), name: String::new() }, Access::default())
    }

    fn new(Who { kind, id, name }: Who, access: Access) -> Caller {
        Caller { subject: id, name, kind, access, trail: Trail::default() }
    }

    pub fn who(&self) -> Who {
        Who { kind: self.kind, id: self.subject.clone(), name: self.name.clone() }
    }

    /// Says in words what this call does to what, and what more is to be said of it, see [`Trail::did`].
    pub fn did(&self, action: &str, target: &str, detail: &str) {
        self.trail.did(action, target, detail);
    }

    /// Refuses where no role allows an action at a place.
    pub fn check(&self, action: Action, scope: &Scope) -> Result<(), Denied> {
        self.access.check(action, scope)
    }
}

/// Why a request has no caller.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    #[error("the request has neither a bearer token nor a session")]
    Missing,
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("the principal or user of the token does not exist any more")]
    Gone,
    #[error("the user of the token was signed out; sign in again")]
    SignedOut,
    #[error("the session has ended; sign in again")]
    SessionEnded,
    #[error("the header X-CSRF-Token is missing or wrong")]
    Csrf,
    #[error(transparent)]
    State(#[from] StateError),
}

/// Finds the caller: a bearer token first, then a session cookie. A session's mutating calls must carry its CSRF token.
pub async fn authenticate(
    state: &State,
    tokens: &Tokens,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Caller, AuthError> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let text = value.to_str().unwrap_or_default();
        let token = match text.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => return Err(AuthError::Missing),
        };
        let claims = tokens.check_anew(token).await?;
        if claims.is_user() {
            let user = state.user(&claims.oid).await?.ok_or(AuthError::Gone)?;
            if user.is_disabled() || claims.generation != Some(user.token_generation) {
                return Err(AuthError::SignedOut);
            }
            let access = access_of(state, &user.id).await?;
            return Ok(Caller::new(Who::user(&user.id, &user.name), access));
        }
        let principal = state.principal(&claims.appid).await?.ok_or(AuthError::Gone)?;
        let access = access_of(state, &principal.client_id).await?;
        return Ok(Caller::new(Who::principal(&principal.client_id, &principal.name), access));
    }
    let token = cookie(headers, SESSION_COOKIE).ok_or(AuthError::Missing)?;
    let session = state.session(token).await?.ok_or(AuthError::SessionEnded)?;
    if !method.is_safe() {
        let sent = headers.get("x-csrf-token").map(|value| value.as_bytes()).unwrap_or_default();
        if !same(sent, session.csrf.as_bytes()) {
            return Err(AuthError::Csrf);
        }
    }
    // the console asks again and again by itself: that is nobody's doing
    if !headers.contains_key(IDLE_HEADER) {
        state.use_session(&session).await?;
    }
    let access = access_of(state, &session.user.id).await?;
    Ok(Caller::new(Who::user(&session.user.id, &session.user.name), access))
}

/// Compares secrets by their digests: the time says nothing about where they differ.
fn same(left: &[u8], right: &[u8]) -> bool {
    digest(&SHA256, left).as_ref() == digest(&SHA256, right).as_ref()
}

/// The value of a cookie of the request.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}
