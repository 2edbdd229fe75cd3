//! What is known of the person for whom a token was issued (OpenID Connect Core, section 5.3).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::super::App;
use super::super::errors::ApiError;
use crate::authorization::{Need, Routes, get};
use crate::identity::Caller;

pub fn routes() -> Routes {
    Routes::new().route(
        "/oidc/userinfo",
        get(Need::Person("about the caller"), show).post(Need::Person("about the caller"), show),
    )
}

async fn show(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.trail.is_no_change();
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
