//! `/api/workspaces/{id}/data-collection-rules`: the rules of the Logs Ingestion API, in the shape in which Azure
//! Resource Manager has them.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode, Uri};
use serde_json::{Value, json};
use uuid::Uuid;
use watchkeeper_authorization::Action;
use watchkeeper_ingest::logs_ingestion::{self, rule::Properties, rule::RuleError};
use watchkeeper_state::CollectionRule;

use super::errors::ApiError;
use super::saved_queries::check_workspace;
use super::{App, base_url};
use crate::authorization::{Routes, get};

pub fn routes() -> Routes {
    Routes::new()
        .route("/api/workspaces/{workspace}/data-collection-rules", get(Action::ReadCollectionRules, list))
        .route(
            "/api/workspaces/{workspace}/data-collection-rules/{name}",
            get(Action::ReadCollectionRules, show)
                .put(Action::WriteCollectionRules, put)
                .delete(Action::DeleteCollectionRules, remove),
        )
}

impl From<RuleError> for ApiError {
    fn from(error: RuleError) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, error.code, error.message)
    }
}

/// A rule as it is shown.
fn item(rule: &CollectionRule, endpoint: &str) -> Result<Value, ApiError> {
    let mut properties: Value = serde_json::from_str(&rule.document).map_err(|error| {
        tracing::error!(rule = %rule.immutable_id, %error, "a stored data collection rule is not JSON");
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "the stored rule cannot be read")
    })?;
    properties["immutableId"] = json!(rule.immutable_id);
    properties["endpoints"] = json!({"logsIngestion": endpoint});
    properties["provisioningState"] = json!("Succeeded");
    Ok(json!({
        "id": format!("/api/workspaces/{}/data-collection-rules/{}", rule.workspace_id, rule.name),
        "name": rule.name,
        "type": "Microsoft.Insights/dataCollectionRules",
        "kind": "Direct",
        "properties": properties,
    }))
}

async fn find(app: &App, workspace: &str, name: &str) -> Result<Option<CollectionRule>, ApiError> {
    let rules = app.state.collection_rules().await?;
    Ok(rules.into_iter().find(|rule| rule.workspace_id == workspace && rule.name.eq_ignore_ascii_case(name)))
}

async fn list(
    State(app): State<Arc<App>>,
    Path(workspace): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    check_workspace(&app, &workspace).await?;
    let endpoint = base_url(&uri, &headers);
    let rules = app.state.collection_rules().await?;
    let rules = rules.iter().filter(|rule| rule.workspace_id == workspace);
    let items: Vec<Value> = rules.map(|rule| item(rule, &endpoint)).collect::<Result<_, _>>()?;
    Ok(Json(json!({"value": items})))
}

async fn show(
    State(app): State<Arc<App>>,
    Path((workspace, name)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    check_workspace(&app, &workspace).await?;
    let rule = find(&app, &workspace, &name).await?.ok_or_else(|| missing(&name))?;
    Ok(Json(item(&rule, &base_url(&uri, &headers))?))
}

async fn put(
    State(app): State<Arc<App>>,
    Path((workspace, name)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Json<Value>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    check_workspace(&app, &workspace).await?;
    if !is_name(&name) {
        return Err(ApiError::bad_request(format!(
            "the rule's name {name:?} has to have 1 to 64 letters, digits, _, . and -"
        )));
    }
    let Json(sent) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let properties = Properties::read(sent.get("properties").unwrap_or(&Value::Null))?;
    logs_ingestion::check(&app.transforms, &properties).await?;
    let document = serde_json::to_string(&properties).map_err(|error| ApiError::bad_request(error.to_string()))?;

    let known = find(&app, &workspace, &name).await?;
    let status = if known.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    let rule = match known {
        Some(rule) => CollectionRule { document, ..rule },
        None => {
            let immutable_id = format!("dcr-{}", Uuid::new_v4().simple());
            CollectionRule { immutable_id, workspace_id: workspace, name, document }
        }
    };
    app.state.put_collection_rule(&rule).await?;
    Ok((status, Json(item(&rule, &base_url(&uri, &headers))?)))
}

async fn remove(
    State(app): State<Arc<App>>,
    Path((workspace, name)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    check_workspace(&app, &workspace).await?;
    let rule = find(&app, &workspace, &name).await?.ok_or_else(|| missing(&name))?;
    match app.state.delete_collection_rule(&rule.immutable_id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(missing(&name)),
    }
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'-'))
}

fn missing(name: &str) -> ApiError {
    ApiError::not_found(format!("the data collection rule {name:?} does not exist"))
}
