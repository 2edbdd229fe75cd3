//! Device collections and their members.

use serde::Deserialize;

use crate::client::Client;
use crate::odata::{Key, Pages, Record, quoted};
use crate::problem::{Part, Problem};
use crate::sites::text;

/// A device collection.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Collection {
    /// For instance `P0100014`.
    #[serde(rename = "CollectionID")]
    pub id: String,
    #[serde(rename = "Name", default, deserialize_with = "text")]
    pub name: String,
    #[serde(rename = "Comment", default, deserialize_with = "text")]
    pub comment: String,
    #[serde(rename = "MemberCount", default)]
    pub members: i64,
    /// When a member came or went, as the service writes it; empty where it does not say.
    #[serde(rename = "LastMemberChangeTime", default, deserialize_with = "text")]
    pub members_changed: String,
    #[serde(rename = "LimitToCollectionName", default, deserialize_with = "text")]
    pub limited_to: String,
    /// The id of the collection whose members alone it can have.
    #[serde(rename = "LimitToCollectionID", default, deserialize_with = "text")]
    pub limiting: String,
}

impl Collection {
    /// Another text for other members; none where the service does not say when they changed.
    #[must_use]
    pub fn fingerprint(&self) -> Option<String> {
        (!self.members_changed.is_empty()).then(|| format!("{}|{}", self.members_changed, self.members))
    }
}

impl Record for Collection {
    const CLASS: &'static str = "SMS_Collection";
    const SELECT: &'static str = "CollectionID,Name,Comment,MemberCount,LastMemberChangeTime,LimitToCollectionName,\
                                  LimitToCollectionID";
    const KEY: &'static str = "CollectionID";

    fn key(&self) -> Key {
        Key::Text(self.id.to_ascii_uppercase())
    }
}

/// A member of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Member {
    #[serde(rename = "ResourceID")]
    pub resource_id: u64,
    /// The computer's NetBIOS name.
    #[serde(rename = "Name", default, deserialize_with = "text")]
    pub name: String,
    #[serde(rename = "Domain", default, deserialize_with = "text")]
    pub domain: String,
}

impl Record for Member {
    const CLASS: &'static str = "SMS_FullCollectionMembership";
    const SELECT: &'static str = "ResourceID,Name,Domain";
    const KEY: &'static str = "ResourceID";

    fn key(&self) -> Key {
        Key::Number(self.resource_id)
    }
}

impl Client {
    /// Every device collection that the account may see.
    ///
    /// # Errors
    /// Why they cannot be read. None at all is an error: every site has `All Systems`.
    pub async fn collections(&self) -> Result<Vec<Collection>, Problem> {
        let mut pages = self.pages::<Collection>("CollectionType eq 2".to_owned(), None);
        let mut all = Vec::new();
        while let Some(page) = pages.next().await? {
            all.extend(page);
        }
        if all.is_empty() {
            let message =
                format!("{} shows no device collection to {}", self.place.origin(), self.settings.sign_in.who());
            let advice = "give the administrative user the security role Read-only Analyst and the collections in its \
                          scope (console, Administration, Security, Administrative Users)";
            return Err(Problem::new(Part::Role, message, advice));
        }
        Ok(all)
    }

    /// The members of a collection, of which there should be so many.
    #[must_use]
    pub fn members(&self, collection: &str, expected: i64) -> Pages<'_, Member> {
        let filter = format!("CollectionID eq {}", quoted(collection));
        self.pages(filter, u64::try_from(expected).ok())
    }
}
