//! What is known of the person for whom a token was issued (OpenID Connect Core, section 5.3).

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::super::App;
use super::super::errors::ApiError;

pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/oidc/userinfo", get(show).post(show))
}

async fn show(State(app): State<Arc<App>>, method: Method, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    let caller = app.caller(&method, &headers).await?;
    let user = app.state.user(&caller.subject).await?;
    let user = user.ok_or_else(|| ApiError::forbidden("the token is of an application, not of a person"))?;
    let mut body = json!({
        "sub": user.id,
        "oid": user.id,
        "name": user.shown_name(),
        "preferred_username": user.name,
    });
    if !user.mail.is_empty() {
        body["email"] = json!(user.mail);
    }
    Ok(Json(body))
}
