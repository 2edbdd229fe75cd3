//! The rules of signing in, after OAuth 2.0, OpenID Connect and what Microsoft's client libraries expect of an authority.
//! Knows no clock, network, store or HTTP: times, keys and what is known of a client are passed in.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod assertion;
mod certificate;
mod keys;
mod local_caller;
mod password;
mod pkce;
mod redirect;
mod refusal;
mod scopes;

pub use assertion::{Assertion, AssertionError, Proven};
pub use certificate::{Certificate, CertificateProblem};
pub use keys::{KeyTimes, key_is_due, published, signing};
pub use local_caller::owner;
pub use password::{PasswordProblem, check_new_password};
pub use pkce::{check_challenge, check_verifier};
pub use redirect::{check_redirect_uri, redirect_fits};
pub use refusal::Refusal;
pub use scopes::{Resource, Scopes, scopes_v1, scopes_v2};
