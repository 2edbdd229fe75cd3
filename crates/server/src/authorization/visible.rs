//! What of the management group a caller reaches by an action: all of it, or what belongs to single groups. The guard
//! leaves it for the handlers of routes that cut what they show and change (`Need::InGroups`, `Need::OrInGroups`).

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use uuid::Uuid;
use watchkeeper_authorization::Readable;
use watchkeeper_model::ids::ObjectId;

use crate::api::App;
use crate::api::errors::ApiError;

/// How a route keeps to the groups of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// What it lists is cut to what belongs to the groups.
    List,
    /// It is about objects: those of the groups are there, all others are not.
    Objects,
    /// The answer is the same for all and says nothing of objects.
    Same,
}

/// The objects that a caller reaches. Read anew for every request: members come and go.
#[derive(Debug, Clone)]
pub enum Visible {
    All,
    /// Groups with their members and all that those host or contain.
    Only(Arc<BTreeSet<ObjectId>>),
}

impl Visible {
    pub(super) fn of(app: &App, groups: &Readable) -> Visible {
        let Readable::Only(groups) = groups else { return Visible::All };
        let space = app.operations.group.read();
        let mut objects = BTreeSet::new();
        // a group that was removed has no members
        for group in groups.iter().filter_map(|group| space.find(group).ok()) {
            if space.group(group).is_some() {
                objects.extend(space.objects.with_contained(group, space.library.as_ref()));
            }
        }
        Visible::Only(Arc::new(objects))
    }

    pub fn is_all(&self) -> bool {
        matches!(self, Visible::All)
    }

    pub fn has(&self, object: ObjectId) -> bool {
        match self {
            Visible::All => true,
            Visible::Only(objects) => objects.contains(&object),
        }
    }

    /// The same of an object's identity as text; something without an object belongs to no group.
    pub fn has_named(&self, object: &str) -> bool {
        self.is_all() || Uuid::parse_str(object).is_ok_and(|id| self.has(ObjectId(id)))
    }

    /// The object that a caller names. Whoever sees single groups alone does not learn what else there is.
    pub fn find(&self, app: &App, text: &str) -> Result<ObjectId, ApiError> {
        let found = app.operations.group.read().find(text);
        match self {
            Visible::All => found.map_err(ApiError::not_found),
            Visible::Only(_) => found.ok().filter(|id| self.has(*id)).ok_or_else(|| {
                ApiError::not_found(format!("there is no object {text:?} in the groups that your roles are for"))
            }),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visible {
    type Rejection = ApiError;

    /// What the guard has found. A route that does not keep to groups has nothing to ask for.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Visible, ApiError> {
        parts.extensions.get::<Visible>().cloned().ok_or_else(|| {
            tracing::error!(path = parts.uri.path(), "a route asks for groups that it was not mounted with");
            ApiError::new(
                http::StatusCode::INTERNAL_SERVER_ERROR,
                "InternalServerError",
                "this address does not know what its caller may see",
            )
        })
    }
}
