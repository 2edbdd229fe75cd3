//! System Center Service Manager behind a web application. The one that the ITSM Connector used is deployed from a
//! binary and its interface is in no public document, so this one is ours: `integrations/service-manager`, a script for
//! the Service Manager server, and its contract in docs/itsm.md. The form is the documented one: URL of the web
//! application, client ID, client secret.

mod items;
mod sign_in;

use async_trait::async_trait;
use http::Method;
use serde_json::{Value, json};

use crate::configuration::Configuration;
use crate::connection::{Secrets, Settings};
use crate::desk::{After, Exchange, Page, ServiceDesk, Tested};
use crate::http::{Answer, Http, Request};
use crate::problem::{Part, Problem};
use crate::session::Session;
use crate::work_item::{Change, NewWorkItem, Outcome, Target, Ticket, WorkItemKind};

const API: &str = "/watchkeeper/v1";
/// The contract that this client speaks.
const CONTRACT: u64 = 1;
/// Identities that are read at once.
const KEYS: u32 = 5000;

/// A Service Manager.
pub struct ServiceManager {
    http: Http,
    settings: Settings,
    secrets: Secrets,
    session: Session,
}

impl ServiceManager {
    pub fn new(http: Http, settings: Settings, secrets: Secrets) -> Self {
        Self { http, settings, secrets, session: Session::default() }
    }

    /// The JSON of a success.
    async fn asked(&self, request: Request) -> Result<Value, Problem> {
        let answer = self.answered(request).await?;
        answer.json()
    }

    async fn answered(&self, request: Request) -> Result<Answer, Problem> {
        let answer = self.session.send(&self.http, self, request).await?;
        match answer.is_success() {
            true => Ok(answer),
            false => Err(self.problem(&answer)),
        }
    }

    fn ticket(&self, body: &Value) -> Result<Ticket, Problem> {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let (key, number) = (text("id"), text("number"));
        let Some(open) = body["open"].as_bool().filter(|_| !key.is_empty() && !number.is_empty()) else {
            let message = format!("the web application gives no incident but {body}");
            let advice = "look whether the script on the Service Manager server is the one of this release";
            return Err(Problem::new(Part::Product, message, advice).uncertain(true));
        };
        // the product's console is no web page: there is a link where the script knows a portal
        Ok(Ticket { key, number, link: text("link"), open })
    }
}

#[async_trait]
impl ServiceDesk for ServiceManager {
    async fn test(&self) -> Result<Tested, Problem> {
        let about = self.asked(Request::get(format!("{API}/about"))).await?;
        let contract = about["contract"].as_u64().unwrap_or_default();
        if contract != CONTRACT {
            let message =
                format!("the web application speaks version {contract} of the contract, this server {CONTRACT}");
            let advice = "install the script of this release on the Service Manager server";
            return Err(Problem::new(Part::Url, message, advice));
        }
        let mut tested = Tested {
            product: format!("System Center Service Manager {}", about["version"].as_str().unwrap_or_default()),
            ..Tested::default()
        };
        for kind in self.settings.work_items.iter().copied() {
            self.read_changed(kind, &After::Time(i64::MAX / 4), 1).await?;
        }
        if about["mayWrite"] != true {
            let user = about["user"].as_str().unwrap_or_default();
            tested.warnings.push(format!("{user} may not make incidents: it needs the user role Advanced Operators"));
        }
        Ok(tested)
    }

    async fn configuration(&self) -> Result<Configuration, Problem> {
        let body = self.asked(Request::get(format!("{API}/configuration"))).await?;
        serde_json::from_value(body).map_err(|error| {
            let advice = "look whether the script on the Service Manager server is the one of this release";
            Problem::new(Part::Product, format!("the web application's configuration cannot be read: {error}"), advice)
        })
    }

    async fn changed(&self, kind: WorkItemKind, after: &After, limit: u32) -> Result<Page, Problem> {
        self.read_changed(kind, after, limit).await
    }

    async fn keys(&self, kind: WorkItemKind, since: i64) -> Result<Vec<String>, Problem> {
        let mut keys: Vec<String> = Vec::new();
        loop {
            let mut query = vec![("changedSince", items::written(since)), ("limit", KEYS.to_string())];
            if let Some(last) = keys.last() {
                query.push(("afterId", last.clone()));
            }
            let path = format!("{API}/work-items/{}/ids", kind.name());
            let body = self.asked(Request::get(path).with_query(query)).await?;
            let found = body["ids"].as_array().map(Vec::as_slice).unwrap_or_default();
            keys.extend(found.iter().filter_map(Value::as_str).map(str::to_owned));
            if found.is_empty() || body["more"] != true {
                return Ok(keys);
            }
        }
    }

    async fn find(&self, target: &Target<'_>) -> Result<Vec<Ticket>, Problem> {
        let query = [("correlationId", target.correlation_id)];
        let body = self.asked(Request::get(format!("{API}/incidents")).with_query(query)).await?;
        body["items"].as_array().into_iter().flatten().map(|one| self.ticket(one)).collect()
    }

    async fn create(&self, item: &NewWorkItem) -> Result<Ticket, Problem> {
        let body = json!({
            "correlationId": item.correlation_id,
            "title": item.title,
            "description": item.description,
            "urgency": item.urgency,
            "impact": item.impact,
            "configurationItem": item.configuration_item,
            "createConfigurationItem": self.settings.create_configuration_items,
            "template": item.template,
            "fields": item.fields,
        });
        // one that is there already is given again: sending it twice does no harm
        let body = self.asked(Request::ask(format!("{API}/incidents"), body)).await?;
        self.ticket(&body)
    }

    fn makes_once(&self) -> bool {
        true
    }

    async fn change(&self, target: &Target<'_>, change: &Change) -> Result<Ticket, Problem> {
        let outcome = match change.outcome {
            Outcome::Note => "note",
            Outcome::Resolve => "resolve",
            Outcome::Close => "close",
            Outcome::Reopen => "reopen",
        };
        let body = json!({"outcome": outcome, "note": change.note});
        let path = format!("{API}/incidents/{}", target.key);
        let body = self.asked(Request::change(Method::PATCH, path, body)).await?;
        self.ticket(&body)
    }

    fn exchanges(&self) -> Vec<Exchange> {
        self.http.exchanges()
    }
}
