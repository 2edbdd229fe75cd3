//! Run As accounts: the secrets that `$RunAs…$` stands for. They are nowhere shown, and wiped when they are let go.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A secret text. It never shows itself and is overwritten when dropped.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretText(String);

impl SecretText {
    /// From a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

impl Drop for SecretText {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.0).into_bytes();
        bytes.fill(0);
        // keeps the compiler from leaving the writing out
        std::hint::black_box(&bytes);
    }
}

/// The kind of accounts whose user programs run as.
pub const ACTION_ACCOUNT: &str = "ActionAccount";

/// An account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Account {
    /// What administrators call it.
    pub name: String,
    /// [`ACTION_ACCOUNT`]: a user of this computer, whom programs run as; others are for `$RunAs…$` alone.
    pub kind: String,
    /// Workflows of this agent ask for it, and it may not have it: no secret is here.
    pub withheld: bool,
    /// `UserName`.
    pub user: String,
    /// `Domain`.
    pub domain: String,
    /// `Password`.
    pub password: SecretText,
}

/// The accounts of one agent, by what workflows call them: the identity of an account, or a Run As profile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Accounts(pub BTreeMap<String, Account>);

impl Accounts {
    /// A field of the account of a profile; the profile is named as the reference names it, or without its alias.
    #[must_use]
    pub fn field(&self, profile: &str, field: &str) -> Option<&str> {
        let plain = profile.rsplit('!').next().unwrap_or(profile);
        let account = self.0.get(profile).or_else(|| {
            let same = |name: &&String| name.rsplit('!').next() == Some(plain);
            self.0.iter().find(|(name, _)| same(name)).map(|(_, account)| account)
        })?;
        if account.withheld {
            return None;
        }
        match field {
            "UserName" => Some(&account.user),
            "Domain" => Some(&account.domain),
            "Password" => Some(account.password.expose()),
            _ => None,
        }
    }

    /// Whom the program of a module with this Run As name is to run as; `None`: as the agent itself.
    ///
    /// # Errors
    /// When the account was not given to this agent, or is no user of the computer.
    pub fn user(&self, run_as: Option<&str>) -> Result<Option<String>, String> {
        let Some(account) = run_as.and_then(|name| self.0.get(name)) else { return Ok(None) };
        if account.withheld {
            return Err(format!(
                "the Run As account '{0}' is not distributed to this agent; `watchkeeper run-as accounts distribute \
                 {0:?} AGENT` gives it",
                account.name
            ));
        }
        Ok((account.kind == ACTION_ACCOUNT).then(|| account.user.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_does_not_show_itself_and_is_found_by_profile() {
        let account = Account { user: "u".into(), password: SecretText::new("pa55"), ..Account::default() };
        let accounts = Accounts(BTreeMap::from([("My.Pack!Profile".to_owned(), account)]));
        assert!(!format!("{accounts:?}").contains("pa55"));
        assert_eq!(accounts.field("Alias!Profile", "Password"), Some("pa55"));
        assert_eq!(accounts.field("My.Pack!Profile", "UserName"), Some("u"));
        assert_eq!(accounts.field("Other", "UserName"), None);
    }

    #[test]
    fn programs_run_as_the_user_of_an_action_account_and_a_withheld_one_is_refused_by_name() {
        let account = |kind: &str, withheld| Account {
            name: "Backup".into(),
            kind: kind.into(),
            withheld,
            user: "u".into(),
            password: SecretText::new("pa55"),
            ..Account::default()
        };
        let accounts = Accounts(BTreeMap::from([
            ("action".to_owned(), account(ACTION_ACCOUNT, false)),
            ("basic".to_owned(), account("Basic", false)),
            ("withheld".to_owned(), account(ACTION_ACCOUNT, true)),
        ]));
        assert_eq!(accounts.user(Some("action")), Ok(Some("u".to_owned())));
        assert_eq!(accounts.user(Some("basic")), Ok(None));
        assert_eq!(accounts.user(Some("My.Pack!Unused.Profile")), Ok(None));
        let refused = accounts.user(Some("withheld")).unwrap_err();
        assert!(refused.contains("'Backup' is not distributed"), "{refused}");
        assert_eq!(accounts.field("withheld", "Password"), None);
    }
}
