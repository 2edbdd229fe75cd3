//! People of a directory (Active Directory, or another one that speaks LDAP) sign in with their password there: the server
//! looks the name up and binds as the person. Always over TLS.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, Scope, SearchEntry, dn_escape, ldap_escape};
use rustls::ClientConfig;
use watchkeeper_state::{State, StateError};

use super::providers::{Person, trusted_authorities};
use crate::computer_groups::trust;
use crate::config::DirectoryConfig;

const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(20);
/// The code of an answer to a wrong name or password.
const INVALID_CREDENTIALS: u32 = 49;
/// Groups within groups are followed so far.
const DEEPEST: usize = 10;
/// The settings with the passwords of accounts that look names up begin with this; the directory's name follows.
const SECRETS: &str = "identity.directory_secrets.";
const USER: &str = "(|(uid={name})(sAMAccountName={name})(userPrincipalName={name})(mail={name}))";
const GROUP: &str = "(|(member={dn})(uniqueMember={dn}))";

/// What is read of a person.
const ATTRIBUTES: [&str; 6] = ["cn", "displayName", "mail", "memberOf", "entryUUID", "objectGUID"];

/// One directory.
pub struct Directory {
    pub config: DirectoryConfig,
    tls: Arc<ClientConfig>,
}

impl Directory {
    /// Reads what the configuration names.
    pub fn new(config: DirectoryConfig) -> anyhow::Result<Directory> {
        let name = &config.name;
        if !config.url.starts_with("ldaps://") && !config.url.starts_with("ldap://") {
            bail!("identity.directories: the url of {name:?} is {:?}; write ldaps://HOST or ldap://HOST", config.url);
        }
        if config.bind_name.is_empty() && !config.user_dn.contains("{name}") {
            bail!(
                "identity.directories: {name:?} needs bind_name, who looks people up, or user_dn with {{name}} in it"
            );
        }
        let trusted = trusted_authorities(&config.ca_file, &config.trusted, "identity.directories")?;
        let tls = Arc::new(trust(&trusted).with_context(|| format!("identity.directories, {name:?}"))?);
        Ok(Directory { config, tls })
    }

    /// The person, where name and password fit; nobody where they do not.
    pub async fn sign_in(&self, state: &State, name: &str, password: &str) -> anyhow::Result<Option<Person>> {
        // a bind without a password succeeds as nobody (RFC 4513, section 5.1.2)
        if password.is_empty() || name.is_empty() {
            return Ok(None);
        }
        let url = &self.config.url;
        let (mut ldap, entry) = if self.config.bind_name.is_empty() {
            let dn = self.config.user_dn.replace("{name}", &dn_escape(name));
            let mut ldap = self.open().await?;
            if !bind(&mut ldap, &dn, password).await.with_context(|| url.clone())? {
                return Ok(None);
            }
            let found = search(&mut ldap, &dn, Scope::Base, "(objectClass=*)", &ATTRIBUTES).await?;
            let entry = found.into_iter().next().with_context(|| format!("{url} does not show {dn:?} to itself"))?;
            (ldap, entry)
        } else {
            let mut reader = self.reader(state).await?;
            let Some(entry) = self.find(&mut reader, name).await? else { return Ok(None) };
            let mut own = self.open().await?;
            let is_right = bind(&mut own, &entry.dn, password).await.with_context(|| url.clone())?;
            // whoever is told that the session ends may have ended it already
            let _ = own.unbind().await;
            if !is_right {
                return Ok(None);
            }
            (reader, entry)
        };
        let groups = self.groups(&mut ldap, &entry).await?;
        let _ = ldap.unbind().await;
        Ok(Some(person(name, &entry, groups)))
    }

    /// Whether it answers and lets in who looks people up; and the person of a name, as a sign-in would see it.
    pub async fn look(&self, state: &State, name: &str) -> anyhow::Result<Option<Person>> {
        if self.config.bind_name.is_empty() {
            // the person alone can look itself up
            let _ = self.open().await?.unbind().await;
            return Ok(None);
        }
        let mut reader = self.reader(state).await?;
        if name.is_empty() {
            // the place where people are has to be there
            search(&mut reader, &self.config.base, Scope::Base, "(objectClass=*)", &["cn"]).await?;
            return Ok(None);
        }
        let Some(entry) = self.find(&mut reader, name).await? else { return Ok(None) };
        let groups = self.groups(&mut reader, &entry).await?;
        let _ = reader.unbind().await;
        Ok(Some(person(name, &entry, groups)))
    }

    /// A connection of the account that looks people up.
    async fn reader(&self, state: &State) -> anyhow::Result<Ldap> {
        let url = &self.config.url;
        let name = &self.config.name;
        let secret = state.setting(&secret_setting(name)).await?.unwrap_or_default();
        if secret.is_empty() {
            bail!("there is no password for {name:?}; `watchkeeper identity-providers secret {name}` sets it");
        }
        let mut reader = self.open().await?;
        if !bind(&mut reader, &self.config.bind_name, &secret).await.with_context(|| url.clone())? {
            bail!("{url} does not take name and password of {:?}", self.config.bind_name);
        }
        Ok(reader)
    }

    /// The one entry that a name stands for.
    async fn find(&self, reader: &mut Ldap, name: &str) -> anyhow::Result<Option<SearchEntry>> {
        let url = &self.config.url;
        let filter = or(&self.config.user_filter, USER).replace("{name}", &ldap_escape(name));
        let mut found = search(reader, &self.config.base, Scope::Subtree, &filter, &ATTRIBUTES).await?;
        if found.len() > 1 {
            bail!("{url} has {} entries for the name {name:?}; look at user_filter", found.len());
        }
        Ok(found.pop())
    }

    /// The groups of an entry and the groups around them: names, and distinguished names.
    async fn groups(&self, ldap: &mut Ldap, entry: &SearchEntry) -> anyhow::Result<Vec<String>> {
        let mut names = BTreeSet::new();
        for dn in values(entry, "memberOf") {
            names.extend(common_name(dn));
            names.insert(dn.clone());
        }
        let mut open = vec![entry.dn.clone()];
        let mut seen = BTreeSet::from([entry.dn.to_lowercase()]);
        for _ in 0..DEEPEST {
            let mut next = Vec::new();
            for dn in open {
                let filter = or(&self.config.group_filter, GROUP).replace("{dn}", &ldap_escape(dn.as_str()));
                for group in search(ldap, &self.config.base, Scope::Subtree, &filter, &["cn"]).await? {
                    if seen.insert(group.dn.to_lowercase()) {
                        names.extend(values(&group, "cn").iter().cloned());
                        names.insert(group.dn.clone());
                        next.push(group.dn);
                    }
                }
            }
            if next.is_empty() {
                break;
            }
            open = next;
        }
        Ok(names.into_iter().collect())
    }

    async fn open(&self) -> anyhow::Result<Ldap> {
        let url = &self.config.url;
        let settings = LdapConnSettings::new()
            .set_conn_timeout(CONNECT)
            .set_starttls(url.starts_with("ldap://"))
            .set_config(Arc::clone(&self.tls));
        let opened = LdapConnAsync::with_settings(settings, url).await;
        let (connection, ldap) = opened.with_context(|| format!("{url} cannot be reached"))?;
        tokio::spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!(%error, "the connection to a directory ended");
            }
        });
        Ok(ldap)
    }
}

/// The setting with the password of the account that looks names up.
pub fn secret_setting(name: &str) -> String {
    format!("{SECRETS}{name}")
}

/// Keeps the password of the account that looks names up.
pub async fn put_secret(state: &State, name: &str, secret: &str) -> Result<(), StateError> {
    state.put_secret_setting(&secret_setting(name), secret).await
}

/// False where name or password is wrong.
async fn bind(ldap: &mut Ldap, dn: &str, password: &str) -> anyhow::Result<bool> {
    let bound = ldap.with_timeout(ANSWER).simple_bind(dn, password).await.context("it gave no answer")?;
    match bound.rc {
        INVALID_CREDENTIALS => Ok(false),
        _ => {
            bound.success().with_context(|| format!("it does not let {dn:?} sign in"))?;
            Ok(true)
        }
    }
}

async fn search(
    ldap: &mut Ldap,
    base: &str,
    scope: Scope,
    filter: &str,
    attributes: &[&str],
) -> anyhow::Result<Vec<SearchEntry>> {
    let asked = ldap.with_timeout(ANSWER).search(base, scope, filter, attributes.to_vec()).await;
    let wrong = || format!("the directory refuses {filter:?} below {base:?}");
    let (found, _) = asked.with_context(wrong)?.success().with_context(wrong)?;
    Ok(found.into_iter().map(SearchEntry::construct).collect())
}

fn or<'a>(text: &'a str, other: &'a str) -> &'a str {
    if text.trim().is_empty() { other } else { text }
}

fn values<'a>(entry: &'a SearchEntry, name: &str) -> &'a [String] {
    entry.attrs.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or(&[], |(_, values)| values.as_slice())
}

/// `Operators` of `CN=Operators,OU=Groups,DC=corp`.
fn common_name(dn: &str) -> Option<String> {
    let (kind, value) = dn.split(',').next()?.split_once('=')?;
    kind.trim().eq_ignore_ascii_case("cn").then(|| value.trim().to_owned())
}

fn person(name: &str, entry: &SearchEntry, groups: Vec<String>) -> Person {
    let text = |attribute: &str| values(entry, attribute).first().cloned().unwrap_or_default();
    // what stays when a person is renamed or moved
    let object = entry.bin_attrs.get("objectGUID").and_then(|values| values.first());
    let object = object.map(|bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let subject = Some(text("entryUUID")).filter(|id| !id.is_empty()).or(object).unwrap_or_else(|| entry.dn.clone());
    let shown = Some(text("displayName")).filter(|name| !name.is_empty()).unwrap_or_else(|| text("cn"));
    Person { subject, name: name.to_lowercase(), display_name: shown, mail: text("mail"), groups }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_keeps_its_identity_and_a_group_has_its_name() {
        let attrs = [("displayName", "Ada"), ("mail", "ada@corp"), ("entryUUID", "u-1")];
        let attrs = attrs.map(|(name, value)| (name.to_owned(), vec![value.to_owned()]));
        let entry = SearchEntry { dn: "uid=ada".into(), attrs: attrs.into(), bin_attrs: Default::default() };
        let found = person("Ada", &entry, vec![]);
        assert_eq!((found.subject.as_str(), found.name.as_str(), found.mail.as_str()), ("u-1", "ada", "ada@corp"));
        let bare = SearchEntry { dn: "uid=ada".into(), attrs: Default::default(), bin_attrs: Default::default() };
        assert_eq!(person("ada", &bare, vec![]).subject, "uid=ada");
        assert_eq!(common_name("CN=Operators,OU=x").as_deref(), Some("Operators"));
        assert_eq!(common_name("OU=x,DC=corp"), None);
    }
}
