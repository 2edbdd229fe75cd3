//! The form of a connection (ITSM Connector, "Connect ITSM products/services"): what it holds and what it refuses.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::problem::{Part, Problem};
use crate::work_item::WorkItemKind;

/// The most past days that are imported.
pub const MOST_DAYS: u32 = 120;
const MOST_CHARS: usize = 1024;

/// The products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Partner {
    ServiceNow,
    ServiceManager,
    Provance,
    Cherwell,
    RequestTracker,
}

impl Partner {
    pub const ALL: [Partner; 5] =
        [Partner::ServiceNow, Partner::ServiceManager, Partner::Provance, Partner::Cherwell, Partner::RequestTracker];

    /// As the form and the API name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Partner::ServiceNow => "ServiceNow",
            Partner::ServiceManager => "ServiceManager",
            Partner::Provance => "Provance",
            Partner::Cherwell => "Cherwell",
            Partner::RequestTracker => "RequestTracker",
        }
    }

    /// As people call it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Partner::ServiceManager => "System Center Service Manager",
            Partner::RequestTracker => "Request Tracker",
            other => other.name(),
        }
    }

    /// The partner of a name, whatever the letters' case and the spaces.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let plain = |text: &str| text.replace(' ', "").to_ascii_lowercase();
        let wanted = plain(name);
        Self::ALL.into_iter().find(|one| plain(one.name()) == wanted || plain(one.title()) == wanted)
    }

    /// Which of the form's fields it needs: user name and password, client ID, client secret.
    #[must_use]
    pub fn needs(self) -> Needs {
        match self {
            Partner::ServiceNow => Needs { user: true, client_id: true, client_secret: true },
            Partner::ServiceManager => Needs { user: false, client_id: true, client_secret: true },
            Partner::Provance => Needs { user: true, client_id: true, client_secret: false },
            Partner::Cherwell => Needs { user: true, client_id: true, client_secret: false },
            Partner::RequestTracker => Needs { user: true, client_id: false, client_secret: false },
        }
    }

    /// What an alert can become there.
    #[must_use]
    pub fn actions(self) -> &'static [ActionKind] {
        match self {
            Partner::ServiceNow => &[ActionKind::Incident, ActionKind::Event, ActionKind::Alert],
            _ => &[ActionKind::Incident],
        }
    }
}

/// The fields of the form that a product needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    pub user: bool,
    pub client_id: bool,
    pub client_secret: bool,
}

/// What an alert becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ActionKind {
    Incident,
    Event,
    Alert,
}

impl ActionKind {
    /// The kind of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        [Self::Incident, Self::Event, Self::Alert].into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Incident => "Incident",
            Self::Event => "Event",
            Self::Alert => "Alert",
        }
    }
}

/// The form without its secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    pub url: String,
    #[serde(default)]
    pub user_name: String,
    #[serde(default)]
    pub client_id: String,
    /// What is imported.
    pub work_items: Vec<WorkItemKind>,
    /// How many past days are imported.
    pub days: u32,
    /// Affected configuration items that the product does not have are made there.
    #[serde(default)]
    pub create_configuration_items: bool,
    /// Certificates (PEM) of the authority that the product's certificate comes from, besides the system's.
    #[serde(default)]
    pub authority: String,
    /// Where the product keeps a kind of work item, if not where it does by default: queues of Request Tracker,
    /// business objects of Cherwell, entity sets of Provance.
    #[serde(default)]
    pub places: BTreeMap<WorkItemKind, String>,
    /// Where tokens are issued, for products that leave it to another service; empty: the product's own place.
    #[serde(default)]
    pub token_url: String,
    /// The day on which password or client secret end, `YYYY-MM-DD`; empty: not known.
    #[serde(default)]
    pub secret_expiry: String,
}

/// What is never shown.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrets {
    #[serde(default)]
    pub password: String,
    #[serde(default)]
    pub client_secret: String,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

/// `YYYY-MM-DD`, of a month that can be.
fn is_day(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let number = |text: &str, length: usize| text.parse::<u32>().ok().filter(|_| text.len() == length);
    let [year, month, day] = parts.as_slice() else { return false };
    number(year, 4).is_some()
        && number(month, 2).is_some_and(|month| (1..=12).contains(&month))
        && number(day, 2).is_some_and(|day| (1..=31).contains(&day))
}

impl Settings {
    /// Looks at what can be known without the product, and brings the address to its plain form.
    ///
    /// # Errors
    /// What is missing or cannot be.
    pub fn checked(mut self, partner: Partner, secrets: &Secrets) -> Result<Settings, Problem> {
        let refuse = |part, message: String, advice: &str| Err(Problem::new(part, message, advice));
        self.url = plain_url(&self.url)?;
        if !self.token_url.is_empty() {
            self.token_url = plain_url(&self.token_url)?;
        }
        let needs = partner.needs();
        // Request Tracker takes an authentication token in the place of user name and password
        let by_token = partner == Partner::RequestTracker && self.user_name.is_empty();
        let missing = |wanted: bool, value: &str| wanted && value.is_empty();
        let title = partner.title();
        if missing(needs.user && !by_token, &self.user_name) {
            return refuse(Part::User, format!("{title} needs a user name"), "write it into the form");
        }
        if missing(needs.user, &secrets.password) {
            return refuse(Part::Password, format!("{title} needs a password"), "write it into the form");
        }
        if missing(needs.client_id, &self.client_id) {
            return refuse(Part::ClientId, format!("{title} needs a client ID"), "write it into the form");
        }
        if missing(needs.client_secret, &secrets.client_secret) {
            return refuse(Part::ClientSecret, format!("{title} needs a client secret"), "write it into the form");
        }
        if !self.secret_expiry.is_empty() && !is_day(&self.secret_expiry) {
            let message = format!("the day on which the secret ends is {:?}", self.secret_expiry);
            return refuse(Part::Settings, message, "write it as YYYY-MM-DD");
        }
        if self.days == 0 || self.days > MOST_DAYS {
            let message = format!("{} past days are asked for", self.days);
            return refuse(Part::Settings, message, "write 1 to 120");
        }
        let texts = [&self.url, &self.user_name, &self.client_id, &secrets.password, &secrets.client_secret];
        if texts.iter().any(|text| text.len() > MOST_CHARS || text.chars().any(char::is_control)) {
            let message = "a value of the form is longer than 1024 bytes or has control characters in it".to_owned();
            return refuse(Part::Settings, message, "write it again, without line breaks");
        }
        self.work_items.sort_unstable();
        self.work_items.dedup();
        Ok(self)
    }

    /// The host of the address.
    #[must_use]
    pub fn host(&self) -> &str {
        host_of(&self.url)
    }
}

fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match host.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

/// Without a slash at the end; `https`, or `http` on this very machine.
pub(crate) fn plain_url(url: &str) -> Result<String, Problem> {
    let url = url.trim().trim_end_matches('/');
    let refuse = |message: String, advice: &str| Err(Problem::new(Part::Url, message, advice));
    let parsed = reqwest::Url::parse(url);
    let Ok(parsed) = parsed else {
        return refuse(format!("{url:?} is not a URL"), "write it with https:// at the front");
    };
    if !parsed.username().is_empty() || parsed.password().is_some() || parsed.query().is_some() {
        return refuse(
            "the URL has a user, a password or a query in it".to_owned(),
            "write the address alone; user and password have fields of their own",
        );
    }
    match parsed.scheme() {
        "https" => Ok(url.to_owned()),
        "http" if matches!(host_of(url), "localhost" | "127.0.0.1" | "::1") => Ok(url.to_owned()),
        "http" => refuse(
            format!("{url} is not encrypted: user name and password would be readable on the network"),
            "write it with https://; http is taken for a program on this very machine alone",
        ),
        other => refuse(format!("{url} has the scheme {other}"), "write it with https:// at the front"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(url: &str) -> Settings {
        Settings {
            url: url.to_owned(),
            user_name: "integration".to_owned(),
            client_id: "id".to_owned(),
            work_items: vec![WorkItemKind::ChangeRequest, WorkItemKind::Incident, WorkItemKind::Incident],
            days: 30,
            create_configuration_items: false,
            authority: String::new(),
            places: BTreeMap::new(),
            token_url: String::new(),
            secret_expiry: String::new(),
        }
    }

    fn secrets() -> Secrets {
        Secrets { password: "p".to_owned(), client_secret: "s".to_owned() }
    }

    #[test]
    fn a_form_is_brought_to_its_plain_shape() {
        let checked = form(" https://x.service-now.com/ ").checked(Partner::ServiceNow, &secrets()).unwrap();
        assert_eq!(checked.url, "https://x.service-now.com");
        assert_eq!(checked.work_items, [WorkItemKind::Incident, WorkItemKind::ChangeRequest]);
        assert_eq!(checked.host(), "x.service-now.com");
        assert_eq!(host_of("http://[::1]:8080/x"), "::1");
    }

    #[test]
    fn what_is_missing_or_cannot_be_is_named() {
        let part = |change: fn(&mut Settings, &mut Secrets), partner| {
            let (mut settings, mut secrets) = (form("https://x"), secrets());
            change(&mut settings, &mut secrets);
            settings.checked(partner, &secrets).map_err(|problem| problem.part)
        };
        let now = Partner::ServiceNow;
        assert_eq!(part(|form, _| form.url = "x".to_owned(), now), Err(Part::Url));
        assert_eq!(part(|form, _| form.url = "http://desk".to_owned(), now), Err(Part::Url));
        assert_eq!(part(|form, _| form.url = "https://u:p@desk".to_owned(), now), Err(Part::Url));
        assert!(part(|form, _| form.url = "http://127.0.0.1:8080".to_owned(), now).is_ok());
        assert_eq!(part(|form, _| form.user_name.clear(), now), Err(Part::User));
        assert_eq!(part(|_, secrets| secrets.password.clear(), now), Err(Part::Password));
        assert_eq!(part(|form, _| form.client_id.clear(), now), Err(Part::ClientId));
        assert_eq!(part(|_, secrets| secrets.client_secret.clear(), now), Err(Part::ClientSecret));
        assert!(part(|form, _| form.user_name.clear(), Partner::RequestTracker).is_ok());
        // the documented forms: Service Manager has no user, Provance no client secret
        let without_user = |form: &mut Settings, secrets: &mut Secrets| {
            form.user_name.clear();
            secrets.password.clear();
        };
        assert!(part(without_user, Partner::ServiceManager).is_ok());
        assert_eq!(part(without_user, Partner::Provance), Err(Part::User));
        assert!(part(|_, secrets| secrets.client_secret.clear(), Partner::Provance).is_ok());
        assert_eq!(part(|_, secrets| secrets.client_secret.clear(), Partner::ServiceManager), Err(Part::ClientSecret));
        assert_eq!(Partner::of("System Center Service Manager"), Some(Partner::ServiceManager));
        assert_eq!(part(|form, _| form.days = 121, now), Err(Part::Settings));
        assert_eq!(part(|form, _| form.days = 0, now), Err(Part::Settings));
        assert_eq!(format!("{:?}", secrets()), "Secrets { .. }");
    }
}
