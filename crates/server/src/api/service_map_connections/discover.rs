//! What a service principal may see, for the choice of a workspace, its machine groups and its servers.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_management::clock;
use watchkeeper_model::civil;
use watchkeeper_servicemap::{Client, Place, ResourceGroup, Subscription, Window};
use watchkeeper_state::MapSettings;

use super::checked::{certificates, client, secret, stored_secret};
use super::refusal::{self, Refusal};
use super::{Answer, Body, named};
use crate::api::App;
use crate::service_map::Computers;

const HOUR: i64 = 3_600 * 1_000_000;

/// As whom to look, and how far in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Asked {
    /// With its settings and secret, where others are not given.
    connection: Option<String>,
    authority: Option<String>,
    endpoint: Option<String>,
    trusted_certificates: Option<String>,
    tenant: Option<String>,
    application_id: Option<String>,
    secret: Option<String>,
    subscription: Option<String>,
    resource_group: Option<String>,
    workspace: Option<String>,
}

pub(super) async fn discover(State(app): State<Arc<App>>, body: Body<Asked>) -> Answer {
    let asked = refusal::read(body)?;
    let known = match &asked.connection {
        Some(connection) => Some(named(&app, connection).await?),
        None => None,
    };
    let mut settings = known.as_ref().map(|known| known.settings.clone()).unwrap_or_default();
    let goes_elsewhere = asked.authority.is_some() || asked.endpoint.is_some();
    if goes_elsewhere || known.is_none() {
        let (authority, endpoint) = (asked.authority.as_deref(), asked.endpoint.as_deref());
        (settings.authority, settings.endpoint) = app.clouds.addresses(authority, endpoint);
    }
    if let Some(trusted) = asked.trusted_certificates {
        settings.trusted_certificates = certificates(trusted)?;
    }
    let needs = |field: &'static str| Refusal::field(field, format!("{field} is missing"));
    if let Some(tenant) = asked.tenant.as_ref().map(|text| text.trim()) {
        tenant.clone_into(&mut settings.tenant);
    }
    if let Some(application) = asked.application_id.as_ref().map(|text| text.trim()) {
        application.clone_into(&mut settings.application_id);
    }
    if settings.tenant.is_empty() {
        return Err(needs("tenant"));
    }
    if settings.application_id.is_empty() {
        return Err(needs("applicationId"));
    }
    let secret = match (asked.secret, &known) {
        (Some(given), _) => secret(given)?,
        // a stored secret goes where it was meant for, and nowhere else
        (None, Some(_)) if goes_elsewhere => return Err(needs("secret")),
        (None, Some(known)) => stored_secret(&app, &known.connection_id).await?,
        (None, None) => return Err(needs("secret")),
    };
    let client = client(&app, &settings, &secret)?;
    let place = place_of(&asked.subscription, &asked.resource_group, &asked.workspace);
    let mut body = json!({"subscriptions": subscriptions(&client, asked.subscription.as_deref()).await?});
    if let Some(place) = place {
        body["machineGroups"] = machine_groups(&client, &place).await?;
        body["machines"] = machines(&app, &client, &place, &settings).await?;
    }
    Ok(Json(body))
}

fn place_of(subscription: &Option<String>, group: &Option<String>, workspace: &Option<String>) -> Option<Place> {
    let text =
        |value: &Option<String>| value.as_ref().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    Some(Place { subscription: text(subscription)?, resource_group: text(group)?, workspace: text(workspace)? })
}

/// All subscriptions, each with its resource groups; of one that is named only that.
async fn subscriptions(client: &Client, only: Option<&str>) -> Result<Value, Refusal> {
    let mut items = Vec::new();
    for subscription in client.subscriptions().await? {
        if only.is_some_and(|only| !only.is_empty() && !only.eq_ignore_ascii_case(&subscription.id)) {
            continue;
        }
        let groups = client.resource_groups(&subscription.id).await?;
        items.push(shown_subscription(&subscription, &groups));
    }
    Ok(Value::Array(items))
}

fn shown_subscription(subscription: &Subscription, groups: &[ResourceGroup]) -> Value {
    let group = |group: &ResourceGroup| {
        let workspaces: Vec<Value> = group
            .workspaces
            .iter()
            .map(|workspace| json!({"name": workspace.name, "customerId": workspace.customer_id}))
            .collect();
        json!({"name": group.name, "workspaces": workspaces})
    };
    json!({
        "subscriptionId": subscription.id,
        "displayName": subscription.name,
        "resourceGroups": groups.iter().map(group).collect::<Vec<_>>(),
    })
}

async fn machine_groups(client: &Client, place: &Place) -> Result<Value, Refusal> {
    let groups = client.machine_groups(place).await?;
    Ok(groups.iter().map(|group| json!({"id": group.name, "displayName": group.display_name})).collect())
}

/// The machines with an agent of the last hour, and which computers of the group they are.
async fn machines(app: &App, client: &Client, place: &Place, settings: &MapSettings) -> Result<Value, Refusal> {
    let now = clock::now();
    let window = Window { start: civil::format_time(now - HOUR), end: civil::format_time(now) };
    let mut machines = client.machines(place, &window).await?;
    machines.retain(|machine| machine.monitored);
    machines.sort_by(|one, other| (&one.display_name, &one.name).cmp(&(&other.display_name, &other.name)));
    let computers = Computers::of(&app.operations.group.read());
    let chosen = |name: &str| settings.servers.iter().any(|server| server == name);
    let item = |machine: &watchkeeper_servicemap::Machine| {
        let computer = computers.of_machine(machine).map(|known| known.name.clone());
        json!({
            "name": machine.display_name,
            "machine": machine.name,
            "monitored": computer.is_some(),
            "chosen": computer.as_deref().is_some_and(chosen),
            "computer": computer,
        })
    };
    Ok(machines.iter().map(item).collect())
}
