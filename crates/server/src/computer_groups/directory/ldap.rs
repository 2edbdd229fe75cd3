//! Groups of computers as a directory has them: Active Directory, or another one that speaks LDAP. Members are computers
//! themselves or groups within a group; the group that is primary for a computer has it as a member too.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, Scope, SearchEntry};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};

const CONNECT: Duration = Duration::from_secs(10);
/// One answer of the directory.
const ANSWER: Duration = Duration::from_secs(60);
const PAGE: i32 = 500;
/// "This membership is continuously updated every 4 hours."
const DEFAULT_HOURS: u32 = 4;
const GROUPS: &str = "(|(objectClass=group)(objectClass=groupOfNames)(objectClass=groupOfUniqueNames))";
const COMPUTERS: &str = "(|(objectClass=computer)(objectClass=device))";
/// The code of an answer to a wrong name or password.
const INVALID_CREDENTIALS: u32 = 49;

/// Where a directory is, and what of it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Directory {
    /// `ldaps://HOST[:PORT]`, or `ldap://HOST[:PORT]`, which is then encrypted by StartTLS.
    pub url: String,
    /// Who reads: a distinguished name, or `user@domain`.
    pub bind_name: String,
    /// Below this name groups and computers are.
    pub base: String,
    /// Which groups; empty: all.
    pub group_filter: String,
    /// Which entries are computers; empty: those of the classes computer and device.
    pub computer_filter: String,
    /// Authorities (PEM) that are trusted besides the system's.
    pub trusted: String,
    pub hours: u32,
}

impl Default for Directory {
    fn default() -> Self {
        Directory {
            url: String::new(),
            bind_name: String::new(),
            base: String::new(),
            group_filter: String::new(),
            computer_filter: String::new(),
            trusted: String::new(),
            hours: DEFAULT_HOURS,
        }
    }
}

/// A group with computers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundGroup {
    /// Its distinguished name.
    pub name_in_directory: String,
    pub name: String,
    pub computers: BTreeSet<String>,
}

/// What is wrong, with what to do.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    #[error("the address {0:?} is none of a directory; write it as ldaps://HOST or ldap://HOST")]
    Address(String),
    #[error(
        "{url} cannot be reached ({reason}); look at the address, at firewalls, and whether its certificate is trusted"
    )]
    Reach { url: String, reason: String },
    #[error("{url} does not take name and password of {name:?}; look whether the password has expired")]
    Password { url: String, name: String },
    #[error(
        "{url} refuses what is asked below {base:?} ({reason}); look at base, filters and the rights of the account"
    )]
    Search { url: String, base: String, reason: String },
    #[error("{url} gave no answer within {} s; it is tried again", ANSWER.as_secs())]
    Late { url: String },
    #[error("the trusted certificate cannot be used ({0}); give it as PEM")]
    Certificate(String),
    #[error("below {base:?} of {url} there is no computer; look at the base and the computer filter")]
    NoComputers { url: String, base: String },
}

impl Directory {
    /// The domain that groups are said to come from: `corp.example.com` of `…,DC=corp,DC=example,DC=com`.
    #[must_use]
    pub fn domain(&self) -> String {
        let parts: Vec<&str> = self
            .base
            .split(',')
            .filter_map(|part| part.trim().split_once('='))
            .filter_map(|(kind, value)| kind.trim().eq_ignore_ascii_case("dc").then_some(value.trim()))
            .collect();
        if parts.is_empty() { self.base.clone() } else { parts.join(".") }
    }

    /// Every group that has computers.
    ///
    /// # Errors
    /// What keeps it from being read, wholly or in part.
    pub async fn groups(&self, password: &str) -> Result<Vec<FoundGroup>, DirectoryError> {
        let mut ldap = self.open(password).await?;
        let computers =
            self.search(&mut ldap, or(&self.computer_filter, COMPUTERS), &["cn", "dNSHostName", "primaryGroupID"]);
        let computers = computers.await?;
        if computers.is_empty() {
            return Err(DirectoryError::NoComputers { url: self.url.clone(), base: self.base.clone() });
        }
        let attributes = ["cn", "sAMAccountName", "member", "uniqueMember", "objectSid"];
        let mut groups = self.search(&mut ldap, or(&self.group_filter, GROUPS), &attributes).await?;
        for group in &mut groups {
            self.read_on(&mut ldap, group).await?;
        }
        // whoever is told that the session ends may have ended it already
        let _ = ldap.unbind().await;
        Ok(joined(&computers, &groups))
    }

    async fn open(&self, password: &str) -> Result<Ldap, DirectoryError> {
        let reach = |error: LdapError| DirectoryError::Reach { url: self.url.clone(), reason: error.to_string() };
        let is_plain = self.url.starts_with("ldap://");
        if !is_plain && !self.url.starts_with("ldaps://") {
            return Err(DirectoryError::Address(self.url.clone()));
        }
        let settings = LdapConnSettings::new()
            .set_conn_timeout(CONNECT)
            .set_starttls(is_plain)
            .set_config(Arc::new(trust(&self.trusted)?));
        let (connection, mut ldap) = LdapConnAsync::with_settings(settings, &self.url).await.map_err(reach)?;
        tokio::spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!(%error, "the connection to a directory ended");
            }
        });
        let bound = ldap.with_timeout(ANSWER).simple_bind(&self.bind_name, password).await.map_err(reach)?;
        match bound.rc {
            INVALID_CREDENTIALS => {
                Err(DirectoryError::Password { url: self.url.clone(), name: self.bind_name.clone() })
            }
            _ => bound.success().map(|_| ldap).map_err(reach),
        }
    }

    async fn search(
        &self,
        ldap: &mut Ldap,
        filter: &str,
        attributes: &[&str],
    ) -> Result<Vec<SearchEntry>, DirectoryError> {
        let wrong = |error: LdapError| self.refused(&self.base, &error);
        let attributes: Vec<String> = attributes.iter().map(|name| (*name).to_owned()).collect();
        let adapters: Vec<Box<dyn Adapter<'_, String, Vec<String>>>> =
            vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(PAGE))];
        let reading =
            ldap.with_timeout(ANSWER).streaming_search_with(adapters, &self.base, Scope::Subtree, filter, attributes);
        let mut stream = reading.await.map_err(wrong)?;
        let mut found = Vec::new();
        loop {
            let next = tokio::time::timeout(ANSWER, stream.next()).await;
            match next.map_err(|_| DirectoryError::Late { url: self.url.clone() })?.map_err(wrong)? {
                Some(entry) => found.push(SearchEntry::construct(entry)),
                None => break,
            }
        }
        stream.finish().await.success().map_err(wrong)?;
        Ok(found)
    }

    fn refused(&self, base: &str, error: &LdapError) -> DirectoryError {
        DirectoryError::Search { url: self.url.clone(), base: base.to_owned(), reason: error.to_string() }
    }

    /// Reads the members of a large group of Active Directory to their end: it gives 1,500 at a time
    /// (`member;range=0-1499`).
    async fn read_on(&self, ldap: &mut Ldap, group: &mut SearchEntry) -> Result<(), DirectoryError> {
        let dn = group.dn.clone();
        let wrong = |error: LdapError| self.refused(&dn, &error);
        let mut all = group.attrs.remove("member").unwrap_or_default();
        let mut range = take_range(group);
        while let Some((members, end)) = range {
            all.extend(members);
            let Some(end) = end else { break };
            let attribute = format!("member;range={}-*", end + 1);
            let asked = ldap.with_timeout(ANSWER).search(&dn, Scope::Base, "(objectClass=*)", vec![attribute]);
            let (found, _) = asked.await.map_err(wrong)?.success().map_err(wrong)?;
            let entry = found.into_iter().next().map(SearchEntry::construct);
            range = entry.and_then(|mut entry| take_range(&mut entry));
        }
        group.attrs.insert("member".to_owned(), all);
        Ok(())
    }
}

/// A part of the members, and its end where there are more.
fn take_range(entry: &mut SearchEntry) -> Option<(Vec<String>, Option<u64>)> {
    let name = entry.attrs.keys().find(|name| name.to_ascii_lowercase().starts_with("member;range="))?.clone();
    let members = entry.attrs.remove(&name)?;
    let end = name.rsplit('-').next().and_then(|end| end.parse().ok());
    Some((members, end))
}

fn or<'a>(text: &'a str, other: &'a str) -> &'a str {
    if text.trim().is_empty() { other } else { text }
}

fn first<'a>(entry: &'a SearchEntry, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| {
        let values = entry.attrs.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?.1;
        values.iter().map(|value| value.trim()).find(|value| !value.is_empty())
    })
}

/// The last number of an identifier of a Windows account (SID), little-endian.
fn relative_id(entry: &SearchEntry) -> Option<u32> {
    let bytes = entry.bin_attrs.get("objectSid")?.first()?;
    Some(u32::from_le_bytes(*bytes.last_chunk()?))
}

/// Groups with the computers in them and in the groups within them.
fn joined(computers: &[SearchEntry], groups: &[SearchEntry]) -> Vec<FoundGroup> {
    let mut names: HashMap<String, String> = HashMap::new();
    let mut primary: HashMap<u32, Vec<&str>> = HashMap::new();
    for computer in computers {
        let Some(name) = first(computer, &["dNSHostName", "cn"]) else { continue };
        names.insert(computer.dn.to_lowercase(), name.to_owned());
        if let Some(group) = first(computer, &["primaryGroupID"]).and_then(|id| id.parse().ok()) {
            primary.entry(group).or_default().push(name);
        }
    }
    let known: BTreeMap<String, &SearchEntry> = groups.iter().map(|group| (group.dn.to_lowercase(), group)).collect();
    let found = groups.iter().map(|group| {
        let (mut inside, mut open) = (BTreeSet::new(), vec![group]);
        let mut seen = BTreeSet::from([group.dn.to_lowercase()]);
        while let Some(one) = open.pop() {
            let own = relative_id(one).and_then(|id| primary.get(&id)).into_iter().flatten();
            inside.extend(own.map(|name| (*name).to_owned()));
            let lists = one
                .attrs
                .iter()
                .filter(|(name, _)| name.eq_ignore_ascii_case("member") || name.eq_ignore_ascii_case("uniqueMember"));
            for member in lists.flat_map(|(_, members)| members).map(|member| member.to_lowercase()) {
                match (names.get(&member), known.get(&member)) {
                    (Some(name), _) => drop(inside.insert(name.clone())),
                    (None, Some(group)) if seen.insert(member.clone()) => open.push(*group),
                    _ => {}
                }
            }
        }
        let name = first(group, &["cn", "sAMAccountName"]).unwrap_or(&group.dn).to_owned();
        FoundGroup { name_in_directory: group.dn.clone(), name, computers: inside }
    });
    found.filter(|group| !group.computers.is_empty()).collect()
}

/// TLS that trusts the system's authorities and those of a PEM text.
///
/// # Errors
/// Where the text holds something else.
pub fn trust(own: &str) -> Result<ClientConfig, DirectoryError> {
    let wrong = |reason: String| DirectoryError::Certificate(reason);
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in CertificateDer::pem_slice_iter(own.as_bytes()) {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(dn: &str, attributes: &[(&str, &[&str])], sid: Option<u32>) -> SearchEntry {
        let attrs = attributes
            .iter()
            .map(|(name, values)| ((*name).to_owned(), values.iter().map(|value| (*value).to_owned()).collect()));
        let sid = sid.map(|id| ("objectSid".to_owned(), vec![[&[1, 5, 0, 0], id.to_le_bytes().as_slice()].concat()]));
        SearchEntry { dn: dn.to_owned(), attrs: attrs.collect(), bin_attrs: sid.into_iter().collect() }
    }

    #[test]
    fn computers_are_in_their_groups_in_the_groups_around_and_in_their_primary_one() {
        let computers = [
            entry("CN=PC1,DC=corp", &[("dNSHostName", &["pc1.corp"]), ("primaryGroupID", &["515"])], None),
            entry("CN=PC2,DC=corp", &[("cn", &["PC2"])], None),
        ];
        let groups = [
            entry("CN=Domain Computers,DC=corp", &[("cn", &["Domain Computers"])], Some(515)),
            entry("CN=Inner,DC=corp", &[("cn", &["Inner"]), ("member", &["cn=pc2,dc=corp", "CN=Outer,DC=corp"])], None),
            entry(
                "CN=Outer,DC=corp",
                &[("cn", &["Outer"]), ("uniqueMember", &["CN=Inner,DC=corp", "CN=Somebody,DC=corp"])],
                None,
            ),
            entry("CN=People,DC=corp", &[("cn", &["People"]), ("member", &["CN=Somebody,DC=corp"])], None),
        ];
        let found: Vec<(String, Vec<String>)> = joined(&computers, &groups)
            .into_iter()
            .map(|one| (one.name, one.computers.into_iter().collect()))
            .collect();
        let expected = |name: &str, computer: &str| (name.to_owned(), vec![computer.to_owned()]);
        assert_eq!(
            found,
            [expected("Domain Computers", "pc1.corp"), expected("Inner", "PC2"), expected("Outer", "PC2")]
        );
    }

    #[test]
    fn large_groups_come_in_ranges_and_names_have_a_domain() {
        let mut group = entry("CN=G", &[("member;range=0-1499", &["a"])], None);
        assert_eq!(take_range(&mut group), Some((vec!["a".to_owned()], Some(1499))));
        let mut group = entry("CN=G", &[("member;range=1500-*", &["b"])], None);
        assert_eq!(take_range(&mut group), Some((vec!["b".to_owned()], None)));
        assert_eq!(take_range(&mut group), None);
        let base = |base: &str| Directory { base: base.to_owned(), ..Directory::default() }.domain();
        assert_eq!(base("OU=Machines, DC=corp,dc=example"), "corp.example");
        assert_eq!(base("o=works"), "o=works");
    }
}
