//! `summaries/machines`: how many machines there are, and how many are live.

use axum::Json;
use serde_json::{Value, json};

use super::call::Call;
use super::resources::family;
use crate::api::errors::ApiError;

pub(super) async fn machines(call: Call) -> Result<Json<Value>, ApiError> {
    let window = call.window()?;
    let view = call.view_of(window).await?;
    let known = call.computers(window.to).await?;
    let live = known.iter().filter(|computer| view.is_live(&computer.machine)).count();
    let of = |wanted: &str| {
        let of_family = known.iter().filter(|computer| family(&computer.os_family) == wanted);
        of_family.filter(|computer| view.is_live(&computer.machine)).count()
    };
    Ok(Json(call.resources.summary(json!({
        "startTime": window.from, "endTime": window.to, "total": known.len(), "live": live,
        "os": {"windows": of("windows"), "linux": of("linux")},
    }))))
}
