//! Tokens of ServiceNow, and the test of a connection.

use async_trait::async_trait;
use serde_json::Value;

use super::ServiceNow;
use crate::desk::Tested;
use crate::http::{Answer, Authorization, Http, Request};
use crate::problem::{Part, Problem};
use crate::session::{SignIn, Token};
use crate::work_item::WorkItemKind;

const TOKEN: &str = "/oauth_token.do";
/// The roles of the integration user (ITSM Connector, "Create integration user role in ServiceNow app").
const ROLES: &str = "give the user the roles itil, personalize_choices, import_transformer, template_editor and \
                     view_changer in ServiceNow, and x_mioms_microsoft.user where the user app is installed";

#[async_trait]
impl SignIn for ServiceNow {
    async fn sign_in(&self, http: &Http, refresh: &str) -> Result<Token, Problem> {
        if !refresh.is_empty() {
            let answer = http.send(&self.token_request("refresh_token", refresh)).await?;
            if answer.is_success() {
                return Token::of(&answer);
            }
            tracing::debug!(status = answer.status, "the refresh token has ended; the password is used");
        }
        let answer = http.send(&self.token_request("password", "")).await?;
        match answer.status {
            200 => Token::of(&answer),
            _ => Err(self.refused(http, &answer).await),
        }
    }
}

impl ServiceNow {
    fn token_request(&self, grant: &str, refresh: &str) -> Request {
        let mut form = vec![
            ("grant_type", grant.to_owned()),
            ("client_id", self.settings.client_id.clone()),
            ("client_secret", self.secrets.client_secret.clone()),
        ];
        if grant == "password" {
            form.push(("username", self.settings.user_name.clone()));
            form.push(("password", self.secrets.password.clone()));
        } else {
            form.push(("refresh_token", refresh.to_owned()));
        }
        Request::form(TOKEN, form)
    }

    /// Why no token was issued. The product says `access_denied` for all of it: whether user name and password are
    /// right shows where they are tried alone.
    async fn refused(&self, http: &Http, answer: &Answer) -> Problem {
        if let Some(problem) = answer.web_page() {
            return problem;
        }
        let url = &self.settings.url;
        let body = answer.value().unwrap_or(Value::Null);
        let error = body["error"].as_str().unwrap_or_default();
        if answer.status == 404 || (answer.status != 401 && error.is_empty()) {
            let message = format!("{url}{TOKEN} answered {}: it is no ServiceNow instance", answer.status);
            let advice = "write the URL of the instance, https://INSTANCE.service-now.com, and look whether the OAuth \
                          plug-in is active there";
            return Problem::new(Part::Url, message, advice).with_status(answer.status);
        }
        if answer.status == 403 {
            let message = format!("{url} does not let this server in: {}", answer.shown());
            let advice = "allow this server's address in ServiceNow (System Security, IP Address Access Control)";
            return Problem::new(Part::Network, message, advice).with_status(403);
        }
        let probe = Request::get("/api/now/table/sys_user")
            .with_query([("sysparm_limit", "1"), ("sysparm_fields", "sys_id")])
            .authorized(Authorization::Basic {
                user: self.settings.user_name.clone(),
                password: self.secrets.password.clone(),
            });
        let known = matches!(http.send(&probe).await, Ok(answer) if answer.status != 401);
        let client = &self.settings.client_id;
        let problem = match known {
            true => Problem::new(
                Part::ClientIdOrSecret,
                format!("ServiceNow knows the user but issues no token for the client {client:?} ({error})"),
                "compare client ID and client secret with System OAuth, Application Registry; the entry must be active",
            ),
            false => Problem::new(
                Part::UserOrPassword,
                format!("ServiceNow does not take the user {:?} with this password", self.settings.user_name),
                "try both on the instance's own page; the user must be active and not locked out",
            ),
        };
        problem.with_status(401)
    }

    /// Signs in and reads one record of each table that is needed.
    pub(super) async fn try_everything(&self) -> Result<Tested, Problem> {
        let mut tested = Tested { product: "ServiceNow".to_owned(), ..Tested::default() };
        for kind in WorkItemKind::ALL.into_iter().filter(|kind| self.settings.work_items.contains(kind)) {
            self.try_table(self.table_of(kind)).await?;
        }
        if self.settings.work_items.is_empty() {
            self.try_table("incident").await?;
        }
        for (table, lost) in [
            ("sys_template", "templates cannot be offered"),
            ("sys_choice", "the values of fields cannot be offered"),
            ("sys_user_group", "groups cannot be offered"),
            ("cmdb_ci", "configuration items cannot be found"),
        ] {
            if let Err(problem) = self.try_table(table).await {
                if problem.part != Part::Role {
                    return Err(problem);
                }
                tested.warnings.push(format!("the table {table} cannot be read: {lost}"));
            }
        }
        Ok(tested)
    }

    async fn try_table(&self, table: &str) -> Result<(), Problem> {
        self.table_rows(table, "", &["sys_id"], 1).await.map(drop)
    }

    /// What an answer that is no success means.
    pub(super) fn problem(&self, answer: &Answer) -> Problem {
        if let Some(problem) = answer.web_page() {
            return problem;
        }
        let body = answer.value().unwrap_or(Value::Null);
        let message = body["error"]["message"].as_str().unwrap_or_default();
        let detail = body["error"]["detail"].as_str().unwrap_or_default();
        let said = match (message, detail) {
            ("", _) => answer.shown(),
            (message, "") => message.to_owned(),
            (message, detail) => format!("{message}: {detail}"),
        };
        let text = format!("{} answered {}: {said}", answer.path, answer.status);
        let problem = match answer.status {
            401 => Problem::new(
                Part::UserOrPassword,
                format!("{text}; a new token did not help"),
                "look whether the user is still active in ServiceNow; Sync tries again",
            ),
            403 if detail.contains("Data Policy") || detail.contains("mandatory") => {
                Problem::new(Part::WorkItem, text, "give the field that is missing in the action's fields or template")
            }
            403 => Problem::new(Part::Role, text, ROLES),
            404 if message.contains("No Record") => {
                Problem::new(Part::WorkItem, text, "the record was removed in ServiceNow")
            }
            400 if message.starts_with("Invalid table") => Problem::new(
                Part::Role,
                text,
                "the table is not there, or not for this user: event and alert need the Event Management plug-in and \
                 the roles evt_mgmt_integration and evt_mgmt_operator",
            ),
            400 => Problem::new(Part::WorkItem, text, "look at the names and values of the action's fields"),
            _ => Problem::new(Part::Url, text, "look whether the URL is that of a ServiceNow instance"),
        };
        problem.with_status(answer.status)
    }
}
