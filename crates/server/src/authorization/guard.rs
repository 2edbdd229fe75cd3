//! What a route takes, and the check of it before its handler runs.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::handler::Handler;
use axum::response::Response;
use http::request::Parts;
use watchkeeper_authorization::{Action, Level, Scope};

use super::refusals;
use crate::api::errors::ApiError;
use crate::api::{App, senders};
use crate::identity::Caller;

/// What a caller needs to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing, for this reason.
    Public(&'static str),
    /// To be somebody: the answer is about the caller, or has only what the caller may see.
    SignedIn(&'static str),
    /// To be a person: the handler refuses programs.
    Person(&'static str),
    /// A role that allows this.
    Action(Action),
    /// The same, or the id and a key of the workspace as user and password.
    Sender(Action),
    /// What the resource type of the path takes; the first one where there is no such type.
    ByKind(&'static [(&'static str, Action)]),
}

impl From<Action> for Need {
    fn from(action: Action) -> Need {
        Need::Action(action)
    }
}

/// A handler behind its check.
#[derive(Clone)]
pub(super) struct Guarded<H> {
    pub need: Need,
    pub handler: H,
}

/// The mark of a guarded handler among axum's kinds of handlers.
pub(super) struct Checked<T>(std::marker::PhantomData<T>);

impl<H, T> Handler<Checked<T>, Arc<App>> for Guarded<H>
where
    H: Handler<T, Arc<App>>,
    T: 'static,
{
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, app: Arc<App>) -> Self::Future {
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            match admit(&app, self.need, &mut parts).await {
                Ok(()) => self.handler.call(Request::from_parts(parts, body), app).await,
                Err(error) => refusals::in_protocol(&parts, error),
            }
        })
    }
}

/// Finds the caller, asks whether it may, and leaves it for the handler.
async fn admit(app: &App, need: Need, parts: &mut Parts) -> Result<(), ApiError> {
    if let Need::Sender(_) = need
        && let Some(credentials) = senders::basic(&parts.headers)
    {
        return senders::allow_key(app, credentials).await;
    }
    let params = match need {
        Need::Public(_) => return Ok(()),
        _ => RawPathParams::from_request_parts(parts, &()).await.ok(),
    };
    let param = |name: &str| params.as_ref()?.iter().find(|(key, _)| *key == name).map(|(_, value)| value);
    let caller = app.caller(&parts.method, &parts.headers).await?;
    let action = match need {
        Need::Public(_) | Need::SignedIn(_) | Need::Person(_) => None,
        Need::Action(action) | Need::Sender(action) => Some(action),
        Need::ByKind(kinds) => {
            let kind = param("kind").unwrap_or_default();
            let known = kinds.iter().find(|(name, _)| name.eq_ignore_ascii_case(kind)).or_else(|| kinds.first());
            known.map(|(_, action)| *action)
        }
    };
    if let Some(action) = action {
        // Azure Resource Manager's paths name the workspace, not its id, and there is one
        let workspace = match parts.uri.path().starts_with("/subscriptions") {
            true => None,
            false => param("workspace"),
        };
        let scope = scope_of(app, action, workspace, param("table"));
        if let Err(denied) = caller.access.check_any(action, &scope) {
            return Err(ApiError::forbidden(denied.to_string()));
        }
    }
    parts.extensions.insert(caller);
    Ok(())
}

/// Where an action is asked for, by what the path names.
fn scope_of(app: &App, action: Action, workspace: Option<&str>, table: Option<&str>) -> Scope {
    let workspace = workspace.unwrap_or(&app.workspace_id);
    match (action.level(), table) {
        (Level::Tenant | Level::Anywhere, _) => Scope::Tenant,
        (Level::ManagementGroup | Level::Groups, _) => app.group_scope(),
        (Level::Tables, Some(table)) => Scope::table(workspace, table),
        (Level::Tables | Level::Workspace, _) => Scope::workspace(workspace),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    /// The caller that the guard has let in.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, ApiError> {
        parts.extensions.get::<Caller>().cloned().ok_or_else(|| {
            tracing::error!(path = parts.uri.path(), "a public route asks who is calling");
            ApiError::new(
                http::StatusCode::INTERNAL_SERVER_ERROR,
                "InternalServerError",
                "this address does not know who is calling",
            )
        })
    }
}
