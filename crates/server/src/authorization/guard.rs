//! What a route takes, and the check of it before its handler runs.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::request::Parts;
use http::{Method, StatusCode};
use watchkeeper_authorization::{Access, Action, Level, Scope};

use super::refusals;
use super::visible::{Cut, Visible};
use crate::api::errors::ApiError;
use crate::api::{App, senders};
use crate::audit::{Call, Kept, Reason, Trail};
use crate::identity::Caller;

/// What a caller needs to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing, for this reason.
    Public(&'static str),
    /// Nothing: it makes somebody of nobody.
    SignIn(&'static str),
    /// To be somebody: the answer is about the caller, or has only what the caller may see.
    SignedIn(&'static str),
    /// To be a person: the handler refuses programs.
    Person(&'static str),
    /// A role that allows this.
    Action(Action),
    /// The same, also at single groups of the management group: the handler keeps to what belongs to them.
    InGroups(Action, Cut),
    /// A role that allows the first, for all that there is; or one in the management group or at groups of it that allows
    /// the second: the handler keeps to what belongs to them.
    OrInGroups(Action, Action, Cut),
    /// As `Action`, or the id and a key of the workspace as user and password.
    Sender(Action),
    /// What the resource type of the path takes; the first one where there is no such type. What is asked for at groups is
    /// as `InGroups`.
    ByKind(&'static [(&'static str, Action)]),
}

impl Need {
    /// Which calls of a route with this need are written down in `Audit`. Data that is sent is no change, neither is a
    /// POST for which reading is enough.
    pub fn kept(self, method: &Method) -> Kept {
        let by_action = |action: Action| match action {
            Action::ReadWorkspaceKeys => Kept::All,
            Action::SendData => Kept::Refusals,
            _ if method.is_safe() || (*method == Method::POST && action.is_read()) => Kept::Refusals,
            _ => Kept::All,
        };
        match self {
            Need::SignIn(_) => Kept::SignIns,
            Need::Public(_) if method.is_safe() => Kept::Nothing,
            Need::Public(_) | Need::Sender(_) => Kept::Refusals,
            Need::SignedIn(_) | Need::Person(_) if method.is_safe() => Kept::Refusals,
            Need::SignedIn(_) | Need::Person(_) => Kept::All,
            Need::Action(action) | Need::InGroups(action, _) | Need::OrInGroups(action, ..) => by_action(action),
            Need::ByKind(kinds) => kinds.first().map_or(Kept::Refusals, |(_, action)| by_action(*action)),
        }
    }
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
            let (call, trail) = (Call::of(&parts), Trail::default());
            let kept = self.need.kept(&parts.method);
            if let Err(error) = admit(&app, self.need, &mut parts, &trail).await {
                app.audit.keep(&call, kept, &trail, error.status, Some(&error.message)).await;
                return refusals::in_protocol(&parts, error);
            }
            parts.extensions.insert(trail.clone());
            let request = Request::from_parts(parts, body);
            if kept == Kept::All {
                return to_its_end(self.handler, request, app, call, trail).await;
            }
            let answer = self.handler.call(request, Arc::clone(&app)).await;
            let message = message_of(&answer);
            app.audit.keep(&call, kept, &trail, answer.status(), message.as_deref()).await;
            answer
        })
    }
}

/// A change that was begun is ended and written down, also when nobody waits for the answer any more.
async fn to_its_end<H, T>(handler: H, request: Request, app: Arc<App>, call: Call, trail: Trail) -> Response
where
    H: Handler<T, Arc<App>>,
    T: 'static,
{
    let work = tokio::spawn(async move {
        let answer = AssertUnwindSafe(handler.call(request, Arc::clone(&app))).catch_unwind().await;
        let (status, message) = match &answer {
            Ok(answer) => (answer.status(), message_of(answer)),
            Err(_) => {
                let message = "the work broke off; the server's log says where";
                (StatusCode::INTERNAL_SERVER_ERROR, Some(message.to_owned()))
            }
        };
        app.audit.keep(&call, Kept::All, &trail, status, message.as_deref()).await;
        answer
    });
    match work.await {
        Ok(Ok(answer)) => answer,
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(error) => {
            tracing::error!(%error, "a request was broken off");
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "Unavailable", "the server is stopping").into_response()
        }
    }
}

fn message_of(answer: &Response) -> Option<String> {
    answer.extensions().get::<Reason>().map(|reason| reason.0.clone())
}

/// Finds the caller, asks whether it may, and leaves it for the handler.
async fn admit(app: &App, need: Need, parts: &mut Parts, trail: &Trail) -> Result<(), ApiError> {
    if let Need::Sender(_) = need
        && let Some(credentials) = senders::basic(&parts.headers)
    {
        return senders::allow_key(app, credentials).await;
    }
    let params = match need {
        Need::Public(_) | Need::SignIn(_) => return Ok(()),
        _ => RawPathParams::from_request_parts(parts, &()).await.ok(),
    };
    let param = |name: &str| params.as_ref()?.iter().find(|(key, _)| *key == name).map(|(_, value)| value);
    let action = match need {
        Need::Public(_) | Need::SignIn(_) | Need::SignedIn(_) | Need::Person(_) => None,
        Need::Action(action) | Need::InGroups(action, _) | Need::OrInGroups(action, ..) | Need::Sender(action) => {
            Some(action)
        }
        Need::ByKind(kinds) => {
            let kind = param("kind").unwrap_or_default();
            let known = kinds.iter().find(|(name, _)| name.eq_ignore_ascii_case(kind)).or_else(|| kinds.first());
            known.map(|(_, action)| *action)
        }
    };
    if let Some(action) = action {
        trail.asks_for(action.name());
    }
    let caller = app.caller(&parts.method, &parts.headers).await?;
    let caller = Caller { trail: trail.clone(), ..caller };
    trail.is_by(caller.who());
    if let Some(action) = action {
        // Azure Resource Manager's paths name the workspace, not its id, and there is one
        let workspace = match parts.uri.path().starts_with("/subscriptions") {
            true => None,
            false => param("workspace"),
        };
        let scope = scope_of(app, action, workspace, param("table"));
        if let Some(visible) = let_in(app, need, action, &scope, &caller.access)? {
            parts.extensions.insert(visible);
        }
    }
    parts.extensions.insert(caller);
    Ok(())
}

/// Asks whether the roles are enough; what the caller sees by them, for routes that keep to groups.
fn let_in(app: &App, need: Need, action: Action, scope: &Scope, access: &Access) -> Result<Option<Visible>, ApiError> {
    let seen_by = match need {
        Need::InGroups(..) => action,
        Need::ByKind(_) if action.level() == Level::Groups => action,
        Need::OrInGroups(_, seen_by, _) if !access.allows(action, scope) => seen_by,
        Need::OrInGroups(..) | Need::ByKind(_) => {
            access.check_any(action, scope)?;
            return Ok(Some(Visible::All));
        }
        _ => {
            access.check_any(action, scope)?;
            return Ok(None);
        }
    };
    let group = app.group_scope();
    if let Err(denied) = access.check_part(seen_by, &group) {
        // who may do neither is told of the first, which is for all that there is
        access.check_any(action, scope)?;
        return Err(denied.into());
    }
    Ok(Some(Visible::of(app, &access.parts(seen_by, &group))))
}

/// Where an action is asked for, by what the path names.
pub fn scope_of(app: &App, action: Action, workspace: Option<&str>, table: Option<&str>) -> Scope {
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
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalServerError",
                "this address does not know who is calling",
            )
        })
    }
}
