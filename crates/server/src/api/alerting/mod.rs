//! Alert rules, action groups, processing rules and deliveries: `/api/…` for the console and the command line, and the
//! documented resources of Azure Resource Manager (`arm`, `alerts`).

mod alerts;
mod arm;
mod deliveries;
mod groups;
mod resources;
mod rules;

use http::StatusCode;
use watchkeeper_state::AlertingKind;

use super::App;
use super::errors::ApiError;
use crate::alerting::{RefusedResource, Stored};
use crate::authorization::Routes;

pub fn routes() -> Routes {
    Routes::new().merge(rules::routes()).merge(groups::routes()).merge(deliveries::routes()).merge(arm::routes())
}

impl From<RefusedResource> for ApiError {
    fn from(error: RefusedResource) -> ApiError {
        match error {
            RefusedResource::State(error) => error.into(),
            other => ApiError::new(StatusCode::BAD_REQUEST, "BadRequest", other.to_string()),
        }
    }
}

/// The resource that a person names: by its key, its whole identity, or its name where only one has it.
async fn find(app: &App, kind: AlertingKind, text: &str) -> Result<Stored, ApiError> {
    let what = match kind {
        AlertingKind::AlertRule => "alert rule",
        AlertingKind::ActionGroup => "action group",
        AlertingKind::ProcessingRule => "processing rule",
    };
    if let Some(found) = app.alerting.show(kind, &text.to_lowercase()).await? {
        return Ok(found);
    }
    let mut named: Vec<Stored> = app.alerting.list(kind).await?;
    named.retain(|stored| stored.resource.id.is_meant_by(text));
    match (named.pop(), named.is_empty()) {
        (Some(found), true) => Ok(found),
        (None, _) => Err(ApiError::not_found(format!("there is no {what} {text:?}"))),
        (Some(_), false) => {
            Err(ApiError::bad_request(format!("several of the kind {what} are called {text:?}; name one by its id")))
        }
    }
}
