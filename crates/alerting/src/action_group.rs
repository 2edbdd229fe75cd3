//! Action groups (`Microsoft.Insights/actionGroups`): who is told of an alert, and how. Receivers of the vendor's own
//! cloud are refused by name; `chatReceivers` and `scriptReceivers` are this server's own.

use serde_json::{Value, json};

use crate::limits;
use crate::reading::{Fields, Found, Problems};
use crate::rule::{Resource, ResourceId};

/// The name of a list of receivers, how many it may have, and how one is read.
type Receivers = (&'static str, usize, fn(&Fields<'_>) -> Option<How>);

pub const RESOURCE_TYPE: &str = "Microsoft.Insights/actionGroups";
const MOST_SHORT_NAME: usize = 12;
/// The longest time that a script may take, in seconds.
const LONGEST_SCRIPT: i64 = 600;
/// What secrets look like in answers.
const HIDDEN: &str = "***";

/// An action group that was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionGroup {
    pub resource: ResourceId,
    pub short_name: String,
    pub enabled: bool,
    pub receivers: Vec<Receiver>,
}

/// One receiver; names are unique within a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Receiver {
    pub name: String,
    pub how: How,
}

#[derive(Debug, Clone, PartialEq)]
pub enum How {
    Email { address: String },
    Webhook { uri: String, secure: Option<SecureWebhook> },
    Chat { service: ChatService, uri: String },
    Script { file: String, arguments: Vec<String>, timeout_seconds: u32 },
    Itsm(ItsmReceiver),
}

/// A webhook that is called with a token of this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecureWebhook {
    /// The audience of the token.
    pub identifier_uri: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChatService {
    Teams,
    Slack,
}

/// A connection to an ITSM product and what to do there (`itsmReceivers`).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ItsmReceiver {
    pub name: String,
    /// `connectionId`: the connection's identity or name.
    pub connection: String,
    pub workspace_id: String,
    pub region: String,
    /// `ticketConfiguration`, read from its JSON text: template, fields, one item an alert or a configuration item.
    pub configuration: Value,
}

impl How {
    /// The kind, as rows and answers name it.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            How::Email { .. } => "Email",
            How::Webhook { secure: None, .. } => "Webhook",
            How::Webhook { .. } => "SecureWebhook",
            How::Chat { service: ChatService::Teams, .. } => "Teams",
            How::Chat { service: ChatService::Slack, .. } => "Slack",
            How::Script { .. } => "Script",
            How::Itsm(_) => "ITSM",
        }
    }

    /// Where it goes, without secrets.
    #[must_use]
    pub fn target(&self) -> String {
        match self {
            How::Email { address } => address.clone(),
            How::Webhook { uri, .. } => hidden_user(uri),
            How::Chat { uri, .. } => hidden_path(uri),
            How::Script { file, .. } => file.clone(),
            How::Itsm(receiver) => receiver.connection.clone(),
        }
    }
}

/// Kinds of receivers with the names of their lists.
const REFUSED: [(&str, &str); 8] = [
    ("smsReceivers", "text messages"),
    ("voiceReceivers", "voice calls"),
    ("azureAppPushReceivers", "the Azure app"),
    ("automationRunbookReceivers", "Azure Automation; a script does the same here"),
    ("logicAppReceivers", "Logic Apps; a webhook does the same here"),
    ("azureFunctionReceivers", "Azure Functions; a webhook does the same here"),
    ("armRoleReceivers", "roles of a subscription; name mail addresses"),
    ("eventHubReceivers", "Event Hubs; a webhook does the same here"),
];

/// Reads and checks an action group.
///
/// # Errors
/// Everything that is wrong with it, each with its place.
pub fn read_action_group(resource: &Resource) -> Result<ActionGroup, Problems> {
    let found = Found::default();
    let properties = Fields::of(&resource.properties, "properties", &found);
    let short_name = properties.needed("groupShortName", properties.text("groupShortName")).unwrap_or_default();
    if short_name.chars().count() > MOST_SHORT_NAME {
        properties.problem("groupShortName", format!("is longer than {MOST_SHORT_NAME} letters"));
    }
    for (list, what) in REFUSED {
        if !properties.list(list).is_empty() {
            properties.problem(list, format!("cannot be used: this server does not reach {what}"));
        }
    }
    let mut receivers = Vec::new();
    let kinds: [Receivers; 5] = [
        ("emailReceivers", limits::MOST_EMAIL_RECEIVERS, email),
        ("webhookReceivers", limits::MOST_RECEIVERS, webhook),
        ("chatReceivers", limits::MOST_RECEIVERS, chat),
        ("scriptReceivers", limits::MOST_RECEIVERS, script),
        ("itsmReceivers", limits::MOST_RECEIVERS, itsm),
    ];
    for (list, most, read) in kinds {
        let sent = properties.objects(list);
        if sent.len() > most {
            properties.problem(list, format!("are {}; an action group has at most {most}", sent.len()));
        }
        for fields in &sent {
            let name = fields.needed("name", fields.text("name")).unwrap_or_default();
            if receivers.iter().any(|known: &Receiver| known.name.eq_ignore_ascii_case(&name)) {
                fields.problem("name", format!("is {name:?} for the second time; names are unique within a group"));
            }
            if let Some(how) = read(fields) {
                receivers.push(Receiver { name, how });
            }
        }
    }
    let group = ActionGroup {
        resource: resource.id.clone(),
        short_name,
        enabled: properties.boolean("enabled").unwrap_or(true),
        receivers,
    };
    found.checked(Some(group))
}

fn email(fields: &Fields<'_>) -> Option<How> {
    let address = fields.needed("emailAddress", fields.text("emailAddress"))?;
    let is_address = address.split_once('@').is_some_and(|(user, domain)| {
        !user.is_empty() && !domain.is_empty() && !domain.contains('@') && !domain.starts_with('.')
    });
    if !is_address || address.contains(|c: char| c.is_whitespace() || c.is_control() || "<>,;\"".contains(c)) {
        fields.problem("emailAddress", format!("is {address:?}, which is no mail address"));
    }
    if address.len() > limits::MOST_ADDRESS {
        fields.problem("emailAddress", format!("is longer than {} letters", limits::MOST_ADDRESS));
    }
    Some(How::Email { address })
}

fn uri(fields: &Fields<'_>, name: &str) -> Option<String> {
    let uri = fields.needed(name, fields.text(name))?;
    let rest = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    if host.is_none_or(|host| host.rsplit('@').next().unwrap_or_default().is_empty())
        || uri.contains(char::is_whitespace)
    {
        fields.problem(name, "has to be an address like https://host/path");
    }
    Some(uri)
}

fn webhook(fields: &Fields<'_>) -> Option<How> {
    let uri = uri(fields, "serviceUri")?;
    // whatever it says: the common schema is the one that this server sends, as log alerts of today do
    let _ = fields.boolean("useCommonAlertSchema");
    let secure = match fields.boolean("useAadAuth").unwrap_or(false) {
        false => None,
        true => {
            if !uri.starts_with("https://") {
                fields.problem("serviceUri", "has to begin with https:// where useAadAuth sends a token");
            }
            if uri
                .strip_prefix("https://")
                .and_then(|rest| rest.split('/').next())
                .is_some_and(|host| host.contains('@'))
            {
                fields.problem("serviceUri", "has a user in it; a secure webhook is called with a token instead");
            }
            let audience = fields.text("identifierUri").or_else(|| fields.text("objectId"));
            Some(SecureWebhook { identifier_uri: fields.needed("identifierUri", audience)? })
        }
    };
    Some(How::Webhook { uri, secure })
}

fn chat(fields: &Fields<'_>) -> Option<How> {
    let services = [("Teams", ChatService::Teams), ("Slack", ChatService::Slack)];
    let service = fields.needed("service", fields.one_of("service", &services));
    Some(How::Chat { uri: uri(fields, "serviceUri")?, service: service? })
}

fn script(fields: &Fields<'_>) -> Option<How> {
    let file = fields.needed("file", fields.text("file"))?;
    let is_name = !file.is_empty() && !file.starts_with('.') && !file.contains(['/', '\\', '\0']);
    if !is_name {
        fields.problem(
            "file",
            format!("is {file:?}; it is the name of a file in the server's folder of scripts, without a path"),
        );
    }
    let timeout = fields.integer("timeoutSeconds", 1, LONGEST_SCRIPT).unwrap_or(30);
    Some(How::Script { file, arguments: fields.texts("arguments"), timeout_seconds: u32::try_from(timeout).ok()? })
}

fn itsm(fields: &Fields<'_>) -> Option<How> {
    let connection = fields.needed("connectionId", fields.text("connectionId"))?;
    let configuration = match fields.get("ticketConfiguration") {
        None => json!({}),
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_else(|error| {
            fields.problem("ticketConfiguration", format!("is not JSON: {error}"));
            Value::Null
        }),
        Some(value) => value.clone(),
    };
    Some(How::Itsm(ItsmReceiver {
        name: fields.text("name").unwrap_or_default(),
        connection,
        workspace_id: fields.text("workspaceId").unwrap_or_default(),
        region: fields.text("region").unwrap_or_default(),
        configuration,
    }))
}

/// The properties as they may be shown: passwords in addresses and the secret paths of chats are hidden.
#[must_use]
pub fn shown(properties: &Value) -> Value {
    let mut shown = properties.clone();
    each_uri(&mut shown, |list, uri| if list == "chatReceivers" { hidden_path(uri) } else { hidden_user(uri) });
    shown
}

/// Properties that were sent with what is hidden in them replaced by what is stored: who changes a group does not have
/// to know its secrets.
#[must_use]
pub fn with_secrets(sent: &Value, stored: &Value) -> Value {
    let mut known = Vec::new();
    let mut copy = stored.clone();
    each_uri(&mut copy, |list, uri| {
        let hidden = if list == "chatReceivers" { hidden_path(uri) } else { hidden_user(uri) };
        known.push((hidden, uri.to_owned()));
        uri.to_owned()
    });
    let mut whole = sent.clone();
    each_uri(&mut whole, |_, uri| {
        let secret = known.iter().find(|(hidden, _)| hidden == uri && uri.contains(HIDDEN));
        secret.map_or_else(|| uri.to_owned(), |(_, secret)| secret.clone())
    });
    whole
}

fn each_uri(properties: &mut Value, mut change: impl FnMut(&str, &str) -> String) {
    for list in ["webhookReceivers", "chatReceivers"] {
        for receiver in properties[list].as_array_mut().into_iter().flatten() {
            if let Some(uri) = receiver.get("serviceUri").and_then(Value::as_str) {
                let changed = change(list, uri);
                receiver["serviceUri"] = Value::String(changed);
            }
        }
    }
}

/// An address without the password in it, and without what a query may carry.
fn hidden_user(uri: &str) -> String {
    let (address, query) = uri.split_once('?').map_or((uri, None), |(address, query)| (address, Some(query)));
    let mut shown = match address.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
            match host.rsplit_once('@') {
                Some((_, host)) => format!("{scheme}://{HIDDEN}@{host}{path}"),
                None => address.to_owned(),
            }
        }
        None => address.to_owned(),
    };
    if query.is_some() {
        shown.push_str(&format!("?{HIDDEN}"));
    }
    shown
}

/// An address without its path.
fn hidden_path(uri: &str) -> String {
    let Some((scheme, rest)) = uri.split_once("://") else { return HIDDEN.to_owned() };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    format!("{scheme}://{}/{HIDDEN}", host.rsplit('@').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::testing::resource;

    fn group(properties: Value) -> Result<ActionGroup, Problems> {
        read_action_group(&resource(RESOURCE_TYPE, properties))
    }

    #[test]
    fn the_documented_example_is_read() {
        let group = group(json!({
            "groupShortName": "sample", "enabled": true,
            "emailReceivers": [{"name": "John Doe's email", "emailAddress": "johndoe@email.com", "useCommonAlertSchema": false}],
            "webhookReceivers": [
                {"name": "Sample webhook 1", "serviceUri": "http://www.example.com/webhook1", "useCommonAlertSchema": true},
                {"name": "Sample webhook 2", "serviceUri": "https://www.example.com/webhook2", "useCommonAlertSchema": true,
                 "useAadAuth": true, "objectId": "d3bb868c-fe44-452c-aa26-769a6538c808",
                 "identifierUri": "http://someidentifier/d7811ba3-7996-4a93-99b6-6b2f3f355f8a",
                 "tenantId": "68a4459a-ccb8-493c-b9da-dd30457d1b84"},
            ],
            "itsmReceivers": [{"name": "Sample itsm", "workspaceId": "5def922a|3f4", "connectionId": "a3b9076c-ce8e-434e-85b4-aff10cb3c8f1",
                 "ticketConfiguration": "{\"PayloadRevision\":0,\"WorkItemType\":\"Incident\",\"UseTemplate\":false}", "region": "westcentralus"}],
        }))
        .unwrap();
        let kinds: Vec<&str> = group.receivers.iter().map(|receiver| receiver.how.word()).collect();
        assert_eq!(kinds, ["Email", "Webhook", "SecureWebhook", "ITSM"]);
        let How::Itsm(itsm) = &group.receivers[3].how else { panic!("{group:?}") };
        assert_eq!(itsm.configuration["WorkItemType"], "Incident");
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let error = group(json!({
            "groupShortName": "longer than twelve",
            "smsReceivers": [{"name": "a"}],
            "emailReceivers": [{"name": "m", "emailAddress": "a@b, c@d"}, {"name": "M", "emailAddress": "x"}],
            "webhookReceivers": [{"name": "w", "serviceUri": "ftp://x", "useCommonAlertSchema": false}],
            "scriptReceivers": [{"name": "s", "file": "../../bin/sh", "timeoutSeconds": 9999}],
            "itsmReceivers": [{"name": "i", "connectionId": "c", "ticketConfiguration": "{"}],
        }))
        .unwrap_err()
        .to_string();
        for part in [
            "groupShortName",
            "smsReceivers",
            "emailReceivers[0].emailAddress",
            "emailReceivers[1].name",
            "serviceUri",
            "without a path",
            "timeoutSeconds",
            "is not JSON",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn secrets_of_addresses_are_hidden_and_come_back() {
        let stored = json!({
            "webhookReceivers": [{"name": "w", "serviceUri": "https://me:secret@host/p?sig=abc"}],
            "chatReceivers": [{"name": "c", "serviceUri": "https://hooks.slack.com/services/T0/B0/xyz"}],
        });
        let shown = shown(&stored);
        let text = shown.to_string();
        for secret in ["secret", "abc", "xyz", "me:"] {
            assert!(!text.contains(secret), "{text}");
        }
        assert_eq!(shown["webhookReceivers"][0]["serviceUri"], "https://***@host/p?***");
        assert_eq!(with_secrets(&shown, &stored), stored);
        let mut changed = shown.clone();
        changed["webhookReceivers"][0]["serviceUri"] = json!("https://other/");
        assert_eq!(with_secrets(&changed, &stored)["webhookReceivers"][0]["serviceUri"], "https://other/");
    }
}
