//! A connection as these routes show it.

use serde_json::{Value, json};
use watchkeeper_management::group::word;
use watchkeeper_state::{MapConnection, MapSync};

use crate::api::{App, time_text};
use crate::service_map::connection_object;

pub(super) fn connection(app: &App, connection: &MapConnection) -> Value {
    let settings = &connection.settings;
    let object = connection_object(&connection.connection_id);
    let (known, health) = {
        let space = app.operations.group.read();
        let view = space.view(object);
        (view.is_some(), view.map(|view| word(view.health)))
    };
    let rule = app.operations.service_maps.rule_of(&connection.connection_id);
    let is_own = settings.authority.is_empty();
    let environment = match is_own {
        true => app.clouds.named("own"),
        false => app.clouds.of_resource_manager(&settings.endpoint),
    };
    json!({
        "id": connection.connection_id,
        "name": connection.name,
        "cloud": if is_own { "own" } else { settings.authority.as_str() },
        "environment": environment.map(|cloud| cloud.name.as_str()),
        "authority": settings.authority,
        "endpoint": settings.endpoint,
        "trustedCertificates": settings.trusted_certificates,
        "tenant": settings.tenant,
        "applicationId": settings.application_id,
        "secretSet": true,
        "secretExpires": time_text(settings.secret_expires),
        "subscription": settings.subscription,
        "resourceGroup": settings.resource_group,
        "workspace": settings.workspace,
        "machineGroups": settings.machine_groups,
        "servers": settings.servers,
        "resourcePool": settings.resource_pool,
        "object": known.then(|| object.to_string()),
        "health": health,
        "rule": {
            "enabled": rule.enabled,
            "intervalMinutes": rule.interval_minutes,
            "timeoutSeconds": rule.timeout_seconds,
            "timeWindowMinutes": rule.window_minutes,
        },
        "lastSync": connection.last_sync.as_ref().map(|sync| last_sync(connection, sync)),
        "missing": connection.last_sync.as_ref().map(missing).unwrap_or_else(|| json!([])),
        "changedAt": time_text(connection.changed_at),
    })
}

fn last_sync(connection: &MapConnection, sync: &MapSync) -> Value {
    let outcome = match (sync.ended, sync.code.as_str()) {
        (0, _) => "running",
        (_, "") => "succeeded",
        _ => "failed",
    };
    json!({
        "id": sync.run,
        "began": time_text(sync.began),
        "ended": time_text(sync.ended),
        "outcome": outcome,
        "code": sync.code,
        "error": sync.error,
        "succeeded": time_text(sync.succeeded),
        // another was asked for and did not begin yet
        "waiting": connection.wanted_at > connection.began_at,
        "servers": sync.servers,
        "machineGroups": sync.machine_groups,
        "processes": sync.processes,
    })
}

fn missing(sync: &MapSync) -> Value {
    let item =
        |one: &watchkeeper_state::MissingMachine| json!({"machine": one.machine, "lacks": one.lacks, "what": one.what});
    sync.missing.iter().map(item).collect()
}
