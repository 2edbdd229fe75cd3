//! The form of a connection to Configuration Manager: what is kept of it, what of it is secret, and what can be wrong with
//! it without asking anybody.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use watchkeeper_clouds::{Clouds, OWN};
use watchkeeper_configmgr::{ALL_SYSTEMS, Account, Application, Client, Kdc, Part, Problem, Settings, SignIn};

/// "The collection information is retrieved every 3 hours."
pub const DEFAULT_HOURS: u32 = 3;
const MOST_HOURS: u32 = 24;
const MOST_COLLECTIONS: usize = 5_000;
const MOST_TEXT_CHARS: usize = 1_000;
const MOST_TARGETS: usize = 100;
const MOST_COLLECTION_CHARS: usize = 127;

/// How the administration service is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Entrance {
    /// A Windows account, at the SMS Provider.
    #[default]
    Windows,
    /// A Windows account, by Kerberos.
    Kerberos,
    /// A token of the application, through a cloud management gateway.
    Token,
}

/// A group that is written to the site as a collection with direct membership rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Target {
    /// A computer group, or the object of a group of the management group, by id.
    pub group: String,
    /// The name of the collection; empty: that of the group.
    pub collection: String,
    /// The id of the collection that a new one is limited to.
    pub limiting: String,
}

/// A form without its secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Form {
    pub description: String,
    /// The environment of the application, as Azure's tools call it, or `Watchkeeper`.
    pub environment: String,
    pub tenant_name: String,
    pub tenant_id: String,
    pub application_name: String,
    pub client_id: String,
    /// The day on which the secret key ends, `YYYY-MM-DD`; empty: not known.
    pub secret_expiry: String,
    pub app_id_uri: String,
    /// Who gives tokens, where that is not the environment's own.
    pub authority: String,
    /// Of the administration service.
    pub address: String,
    pub sign_in: Entrance,
    pub user_name: String,
    /// Who gives tickets of Kerberos, `HOST[:PORT]`; empty: the domain of the account.
    pub kdc: String,
    /// Authorities (PEM) that are trusted besides the system's.
    pub trusted: String,
    /// Where the groups go, as filled in for an application that may write there.
    pub subscription: String,
    pub resource_group: String,
    pub workspace: String,
    /// Identities of the chosen collections.
    pub collections: Vec<String>,
    /// Every device collection is imported, also those that come.
    pub all_collections: bool,
    /// Import Configuration Manager collection memberships.
    pub import: bool,
    /// Write a row of each device that is a member.
    pub inventory: bool,
    pub hours: u32,
    /// Groups that are written to the site as collections.
    pub targets: Vec<Target>,
    /// Import although no agent on the service connection point reports to the workspace.
    pub without_agent: bool,
}

impl Default for Form {
    fn default() -> Self {
        Form {
            description: String::new(),
            environment: OWN.to_owned(),
            tenant_name: String::new(),
            tenant_id: String::new(),
            application_name: String::new(),
            client_id: String::new(),
            secret_expiry: String::new(),
            app_id_uri: String::new(),
            authority: String::new(),
            address: String::new(),
            sign_in: Entrance::default(),
            user_name: String::new(),
            kdc: String::new(),
            trusted: String::new(),
            subscription: String::new(),
            resource_group: String::new(),
            workspace: String::new(),
            collections: Vec::new(),
            all_collections: false,
            import: true,
            inventory: true,
            hours: DEFAULT_HOURS,
            targets: Vec::new(),
            without_agent: false,
        }
    }
}

/// What of a form is secret.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Secrets {
    /// The secret key of the application.
    pub secret: String,
    /// The password of the Windows account.
    pub password: String,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

impl Form {
    /// The form, put in order.
    ///
    /// # Errors
    /// What cannot be.
    pub fn checked(mut self, clouds: &Clouds) -> Result<Form, Problem> {
        let wrong = |message: String, advice: &str| Err(Problem::new(Part::Settings, message, advice));
        let Some(cloud) = clouds.named(&self.environment) else {
            let message = format!("the environment {:?} is not known", self.environment);
            return wrong(message, &format!("choose one of {}", clouds.names()));
        };
        cloud.name.clone_into(&mut self.environment);
        for text in [
            &mut self.tenant_id,
            &mut self.client_id,
            &mut self.app_id_uri,
            &mut self.address,
            &mut self.user_name,
            &mut self.kdc,
            &mut self.authority,
            &mut self.secret_expiry,
        ] {
            *text = text.trim().to_owned();
        }
        if self.description.chars().count() > MOST_TEXT_CHARS {
            return wrong(format!("the description is longer than {MOST_TEXT_CHARS} characters"), "shorten it");
        }
        if !(1..=MOST_HOURS).contains(&self.hours) {
            let message = format!("hours is {}", self.hours);
            return wrong(message, &format!("collections can be imported every 1 to {MOST_HOURS} hours"));
        }
        if !self.secret_expiry.is_empty() && !is_day(&self.secret_expiry) {
            let message = format!("the secret key expiry {:?} is no day", self.secret_expiry);
            return wrong(message, "write it as YYYY-MM-DD");
        }
        self.collections.iter_mut().for_each(|id| *id = id.trim().to_ascii_uppercase());
        self.collections.retain(|id| !id.is_empty());
        self.collections.sort_unstable();
        self.collections.dedup();
        if let Some(id) = self.collections.iter().find(|id| !is_collection(id)) {
            let message = format!("{id:?} is no id of a collection");
            return Err(Problem::new(Part::Collection, message, "ids have eight letters and digits, like SMS00001"));
        }
        if self.collections.len() > MOST_COLLECTIONS {
            return wrong(format!("{} collections are chosen", self.collections.len()), "choose at most 5,000");
        }
        self.check_targets()?;
        let is_host = |one: u8| one.is_ascii_alphanumeric() || b"-._:[]".contains(&one);
        if !self.kdc.bytes().all(is_host) {
            let message = format!("the key distribution center {:?} is no host", self.kdc);
            return wrong(message, "write it as HOST or HOST:PORT");
        }
        if self.is_own() && self.sign_in == Entrance::Token {
            let advice =
                "choose Windows sign-in, or the environment in which the application of the site is registered";
            return wrong("no administration service takes tokens of this server".to_owned(), advice);
        }
        Ok(self)
    }

    fn check_targets(&mut self) -> Result<(), Problem> {
        let wrong = |message: String, advice: &str| Err(Problem::new(Part::Settings, message, advice));
        if self.targets.len() > MOST_TARGETS {
            return wrong(format!("{} groups are to be written", self.targets.len()), "write at most 100");
        }
        for target in &mut self.targets {
            target.collection = target.collection.trim().to_owned();
            target.limiting = target.limiting.trim().to_ascii_uppercase();
            if target.limiting.is_empty() {
                ALL_SYSTEMS.clone_into(&mut target.limiting);
            }
            if target.group.trim().is_empty() {
                return wrong("a group that is to be written has no name".to_owned(), "name the group");
            }
            if target.collection.chars().count() > MOST_COLLECTION_CHARS
                || target.collection.chars().any(char::is_control)
            {
                let message = format!("{:?} is no name of a collection", target.collection);
                return Err(Problem::new(Part::Collection, message, "it has at most 127 characters"));
            }
            if !is_collection(&target.limiting) {
                let message = format!("{:?} is no id of a limiting collection", target.limiting);
                return Err(Problem::new(
                    Part::Collection,
                    message,
                    "ids have eight letters and digits, like SMS00001",
                ));
            }
        }
        Ok(())
    }

    /// There is something to do every few hours.
    #[must_use]
    pub fn works(&self) -> bool {
        self.import || !self.targets.is_empty()
    }

    /// The application is one of this server's own directory.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.environment == OWN
    }

    /// The application with its secret, for an environment that is not this server.
    #[must_use]
    pub fn application(&self, secrets: &Secrets, clouds: &Clouds) -> Application {
        let cloud = clouds.named(&self.environment).map(|cloud| cloud.authority.clone()).unwrap_or_default();
        Application {
            authority: if self.authority.is_empty() { cloud } else { self.authority.clone() },
            tenant: self.tenant_id.clone(),
            client_id: self.client_id.clone(),
            secret: secrets.secret.clone(),
            app_id_uri: self.app_id_uri.clone(),
        }
    }

    /// A client of the site.
    ///
    /// # Errors
    /// What of the form cannot be.
    pub fn client(
        &self,
        secrets: &Secrets,
        clouds: &Clouds,
        timeout: Duration,
        tries: u32,
        page: usize,
    ) -> Result<Client, Problem> {
        let sign_in = match self.sign_in {
            Entrance::Token => SignIn::Token(self.application(secrets, clouds)),
            Entrance::Windows => {
                SignIn::Windows(Account { user: self.user_name.clone(), password: secrets.password.clone() })
            }
            Entrance::Kerberos => SignIn::Kerberos(
                Account { user: self.user_name.clone(), password: secrets.password.clone() },
                Kdc(self.kdc.clone()),
            ),
        };
        let (address, trusted) = (self.address.clone(), self.trusted.clone());
        Client::new(Settings { address, sign_in, trusted, timeout, tries, page })
    }
}

fn is_day(text: &str) -> bool {
    chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

/// A site code and five hexadecimal digits; collections of the product begin with SMS.
fn is_collection(id: &str) -> bool {
    id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused_before_anybody_is_asked() {
        let refused = |form: Form| form.checked(&Clouds::default()).unwrap_err().part;
        let good =
            Form { collections: vec!["p0100014 ".into(), "SMS00001".into(), "SMS00001".into()], ..Form::default() };
        assert_eq!(good.clone().checked(&Clouds::default()).unwrap().collections, ["P0100014", "SMS00001"]);
        assert_eq!(refused(Form { environment: "Moon".into(), ..good.clone() }), Part::Settings);
        assert_eq!(refused(Form { hours: 0, ..good.clone() }), Part::Settings);
        assert_eq!(refused(Form { hours: 25, ..good.clone() }), Part::Settings);
        assert_eq!(refused(Form { secret_expiry: "soon".into(), ..good.clone() }), Part::Settings);
        assert_eq!(refused(Form { collections: vec!["x' or 1".into()], ..good.clone() }), Part::Collection);
        assert_eq!(refused(Form { sign_in: Entrance::Token, ..good.clone() }), Part::Settings);
        let target = |group: &str, collection: &str, limiting: &str| Target {
            group: group.into(),
            collection: collection.into(),
            limiting: limiting.into(),
        };
        assert_eq!(refused(Form { targets: vec![target("", "x", "")], ..good.clone() }), Part::Settings);
        assert_eq!(refused(Form { targets: vec![target("g", "x", "All")], ..good.clone() }), Part::Collection);
        assert_eq!(
            refused(Form { targets: vec![target("g", &"x".repeat(128), "")], ..good.clone() }),
            Part::Collection
        );
        let written = Form { targets: vec![target("g", " x ", "")], ..good.clone() };
        assert_eq!(written.checked(&Clouds::default()).unwrap().targets, [target("g", "x", "SMS00001")]);
        let cloud = Form { environment: "azurecloud".into(), sign_in: Entrance::Token, ..good };
        let cloud = cloud.checked(&Clouds::default()).unwrap();
        assert_eq!(cloud.environment, "AzurePublicCloud");
        let application = cloud.application(&Secrets::default(), &Clouds::default());
        assert_eq!(application.authority, "https://login.microsoftonline.com");
    }
}
