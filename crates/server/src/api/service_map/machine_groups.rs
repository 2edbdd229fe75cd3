//! `machineGroups`: groups of machines that people make.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_state::{GroupedMachine, MachineGroup};

use super::call::{Call, missing};
use super::resources::family;
use crate::api::errors::ApiError;
use crate::api::map::now;

type Answer = Result<Json<Value>, ApiError>;

const NAME_LENGTHS: std::ops::RangeInclusive<usize> = 1..=256;

/// A group as it is sent.
#[derive(Debug, Deserialize)]
pub(super) struct Sent {
    kind: String,
    #[serde(default)]
    etag: Option<String>,
    properties: Properties,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    display_name: String,
    #[serde(default)]
    machines: Vec<Reference>,
}

#[derive(Debug, Deserialize)]
struct Reference {
    id: String,
}

type Body = Result<Json<Sent>, JsonRejection>;

pub(super) async fn list(call: Call) -> Answer {
    call.window()?;
    let groups = call.app.state.machine_groups(&call.app.workspace_id).await?;
    let groups: Vec<Value> = groups.iter().map(|group| call.resources.machine_group(group)).collect();
    Ok(Json(json!({"value": groups})))
}

pub(super) async fn show(call: Call) -> Answer {
    call.window()?;
    Ok(Json(call.resources.machine_group(&find(&call, &call.at.machine_group).await?)))
}

pub(super) async fn create(call: Call, body: Body) -> Result<(StatusCode, Json<Value>), ApiError> {
    let (sent, machines) = checked(&call, body).await?;
    let name = sent.properties.display_name.trim();
    let group = call.app.state.create_machine_group(&call.app.workspace_id, name, machines).await?;
    Ok((StatusCode::CREATED, Json(call.resources.machine_group(&group))))
}

/// Replaces name and machines; only where the tag that is sent, in the body or as `If-Match`, is the present one.
pub(super) async fn update(call: Call, headers: HeaderMap, body: Body) -> Answer {
    let known = find(&call, &call.at.machine_group).await?;
    let (sent, machines) = checked(&call, body).await?;
    let header = headers.get(header::IF_MATCH).and_then(|value| value.to_str().ok());
    let header = header.map(|tag| tag.trim().trim_matches('"').to_owned()).filter(|tag| tag != "*");
    let expected = header.or(sent.etag).filter(|tag| !tag.is_empty());
    let wanted = MachineGroup { display_name: sent.properties.display_name.trim().to_owned(), machines, ..known };
    match call.app.state.replace_machine_group(&wanted, expected.as_deref()).await? {
        Some(group) => Ok(Json(call.resources.machine_group(&group))),
        None => {
            // gone in the meantime, or changed
            let present = find(&call, &wanted.id).await?;
            Err(ApiError::new(
                StatusCode::PRECONDITION_FAILED,
                "PreconditionFailed",
                format!(
                    "the machine group {:?} was changed by somebody else: its etag is {} now, and {:?} was sent; read it again",
                    present.display_name,
                    present.etag,
                    expected.unwrap_or_default()
                ),
            ))
        }
    }
}

pub(super) async fn remove(call: Call) -> Result<StatusCode, ApiError> {
    let group = find(&call, &call.at.machine_group).await?;
    match call.app.state.delete_machine_group(&group.id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(no_group(&group.id)),
    }
}

/// A group of the workspace.
pub(super) async fn find(call: &Call, id: &str) -> Result<MachineGroup, ApiError> {
    let group = call.app.state.machine_group(&id.to_ascii_lowercase()).await?;
    group.filter(|group| group.workspace_id == call.app.workspace_id).ok_or_else(|| no_group(id))
}

fn no_group(id: &str) -> ApiError {
    missing(format!("the machine group {id:?} does not exist"))
}

/// A group that can be kept, and its machines with what is known of them now.
async fn checked(call: &Call, body: Body) -> Result<(Sent, Vec<GroupedMachine>), ApiError> {
    let Json(sent) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    if sent.kind != "machineGroup" {
        return Err(ApiError::bad_request(format!("kind is {:?}; a machine group has machineGroup", sent.kind)));
    }
    let name = sent.properties.display_name.trim();
    if !NAME_LENGTHS.contains(&name.chars().count()) {
        return Err(ApiError::bad_request(format!("properties.displayName is {name:?}; it has 1 to 256 characters")));
    }
    let computers = call.computers(now()).await?;
    let mut machines: Vec<GroupedMachine> = Vec::new();
    for reference in &sent.properties.machines {
        let name = machine_name(&reference.id)?;
        if machines.iter().any(|known| known.name == name) {
            continue;
        }
        let computer = computers.iter().find(|computer| computer.machine == name);
        machines.push(GroupedMachine {
            name,
            display_name: computer.map(|computer| computer.name.clone()).unwrap_or_default(),
            os_family: computer.map(|computer| family(&computer.os_family).to_owned()).unwrap_or_default(),
        });
    }
    Ok((sent, machines))
}

/// The name of a machine in its URI, or by itself.
pub(super) fn machine_name(id: &str) -> Result<String, ApiError> {
    let name = id.rsplit('/').next().unwrap_or_default();
    let is_path = id.contains('/');
    let in_machines = id.rsplit('/').nth(1).is_some_and(|folder| folder.eq_ignore_ascii_case("machines"));
    if (is_path && !in_machines) || !(3..=64).contains(&name.len()) {
        return Err(ApiError::bad_request(format!(
            "{id:?} is no machine; write the id of one: …/features/serviceMap/machines/m-…"
        )));
    }
    Ok(name.to_owned())
}
