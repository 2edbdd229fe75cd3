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

/// An account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Account {
    /// `UserName`.
    pub user: String,
    /// `Domain`.
    pub domain: String,
    /// `Password`.
    pub password: SecretText,
}

/// The accounts of one agent, by Run As profile.
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
        match field {
            "UserName" => Some(&account.user),
            "Domain" => Some(&account.domain),
            "Password" => Some(account.password.expose()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_does_not_show_itself_and_is_found_by_profile() {
        let account = Account { user: "u".into(), domain: String::new(), password: SecretText::new("pa55") };
        let accounts = Accounts(BTreeMap::from([("My.Pack!Profile".to_owned(), account)]));
        assert!(!format!("{accounts:?}").contains("pa55"));
        assert_eq!(accounts.field("Alias!Profile", "Password"), Some("pa55"));
        assert_eq!(accounts.field("My.Pack!Profile", "UserName"), Some("u"));
        assert_eq!(accounts.field("Other", "UserName"), None);
    }
}
