//! What is known of a call besides its answer, gathered while it is worked on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde_json::{Map, Value};

/// Somebody who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// User or ServicePrincipal.
    pub kind: &'static str,
    pub id: String,
    pub name: String,
}

impl Who {
    pub fn user(id: &str, name: &str) -> Who {
        Who { kind: "User", id: id.to_owned(), name: name.to_owned() }
    }

    pub fn principal(id: &str, name: &str) -> Who {
        Who { kind: "ServicePrincipal", id: id.to_owned(), name: name.to_owned() }
    }
}

/// What is known so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub who: Option<Who>,
    /// Whether that is proven, or only what somebody said.
    pub is_proven: bool,
    pub operation: &'static str,
    pub action: String,
    pub target: String,
    pub detail: String,
    pub result: Option<&'static str>,
    pub properties: Map<String, Value>,
    pub correlation_id: String,
    pub is_change: Option<bool>,
}

/// The row of a call while it is worked on. Copies are of the same row.
#[derive(Debug, Clone, Default)]
pub struct Trail(Arc<Mutex<Known>>);

impl Trail {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn known(&self) -> Known {
        self.lock().clone()
    }

    /// Who it is, proven by what was shown.
    pub fn is_by(&self, who: Who) {
        let mut known = self.lock();
        (known.who, known.is_proven) = (Some(who), true);
    }

    /// Who somebody wants to be.
    pub fn is_said_to_be(&self, who: Who) {
        self.lock().who = Some(who);
    }

    /// The action that roles name.
    pub fn asks_for(&self, operation: &'static str) {
        self.lock().operation = operation;
    }

    /// What is done to what, in words, and what more is to be said of it. Never secrets.
    pub fn did(&self, action: &str, target: &str, detail: &str) {
        let mut known = self.lock();
        (known.action, known.target, known.detail) = (action.to_owned(), target.to_owned(), detail.to_owned());
    }

    /// A property of the row.
    pub fn says(&self, name: &str, value: impl Into<Value>) {
        self.lock().properties.insert(name.to_owned(), value.into());
    }

    /// What belongs together.
    pub fn belongs_to(&self, correlation_id: &str) {
        correlation_id.clone_into(&mut self.lock().correlation_id);
    }

    /// It goes on after the answer.
    pub fn submitted(&self) {
        self.lock().result = Some("Submitted");
    }

    /// It was refused although the answer is of another kind.
    pub fn refused(&self, reason: impl Into<String>) {
        let mut known = self.lock();
        (known.result, known.detail) = (Some("Refused"), reason.into());
    }

    /// The call changes something although its route is one for reading.
    pub fn is_change(&self) {
        self.lock().is_change = Some(true);
    }

    /// The call changes nothing although its route is one for changes.
    pub fn is_no_change(&self) {
        self.lock().is_change = Some(false);
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Trail {
    type Rejection = std::convert::Infallible;

    /// The trail that the guard has laid.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Trail, Self::Rejection> {
        Ok(parts.extensions.get::<Trail>().cloned().unwrap_or_default())
    }
}
