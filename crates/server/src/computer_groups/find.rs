//! Which computer group somebody means: one that is kept here with its members, or a saved query with the tag
//! `Group` = `Computer`.

use serde::{Deserialize, Serialize};
use watchkeeper_state::{ComputerGroup, SavedQuery, State, StateError};

use super::table::query_of;

/// A tag of a saved query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    pub name: String,
    pub value: String,
}

impl Tag {
    fn is(&self, name: &str, value: &str) -> bool {
        self.name.eq_ignore_ascii_case(name) && self.value.eq_ignore_ascii_case(value)
    }
}

/// The tag of a group that the management group has too.
const IN_MANAGEMENT_GROUP: (&str, &str) = ("ManagementGroup", "true");

/// Tags as they are kept.
pub fn text_of(tags: &[Tag]) -> String {
    serde_json::to_string(tags).unwrap_or_else(|_| "[]".to_owned())
}

/// The tags of a saved query.
pub fn tags_of(saved: &SavedQuery) -> Vec<Tag> {
    serde_json::from_str(&saved.tags).unwrap_or_default()
}

/// Whether a saved query is a group of computers: it has the tag `Group` = `Computer`.
pub fn is_computer_group(saved: &SavedQuery) -> bool {
    tags_of(saved).iter().any(|tag| tag.is("Group", "Computer"))
}

/// Whether the management group has a group that is a query.
pub fn is_in_management_group(saved: &SavedQuery) -> bool {
    let (name, value) = IN_MANAGEMENT_GROUP;
    is_computer_group(saved) && tags_of(saved).iter().any(|tag| tag.is(name, value))
}

/// The tags of a group that is a query.
pub fn group_tags(known: &[Tag], in_management_group: bool) -> Vec<Tag> {
    let tag = |(name, value): (&str, &str)| Tag { name: name.to_owned(), value: value.to_owned() };
    let is_own = |tag: &&Tag| tag.is("Group", "Computer") || tag.name.eq_ignore_ascii_case(IN_MANAGEMENT_GROUP.0);
    let others = known.iter().filter(|tag| !is_own(tag)).cloned();
    let own = [("Group", "Computer")].into_iter().chain(in_management_group.then_some(IN_MANAGEMENT_GROUP));
    own.map(tag).chain(others).collect()
}

/// A group of either kind.
pub enum Found {
    Kept(ComputerGroup),
    Query(SavedQuery),
}

impl Found {
    pub fn id(&self) -> &str {
        match self {
            Found::Kept(group) => &group.group_id,
            Found::Query(saved) => &saved.id,
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Found::Kept(group) => &group.name,
            Found::Query(saved) => &saved.name,
        }
    }

    pub fn is_in_management_group(&self) -> bool {
        match self {
            Found::Kept(group) => group.in_management_group,
            Found::Query(saved) => is_in_management_group(saved),
        }
    }

    /// The query that gives its computers, in the column `Computer`.
    pub fn query(&self) -> String {
        match self {
            Found::Kept(group) => query_of(&group.group_id),
            Found::Query(saved) => saved.query.clone(),
        }
    }
}

/// Why it is not clear which group is meant.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    #[error("there is no computer group {0:?}; `watchkeeper computer-groups` lists them")]
    Unknown(String),
    /// Two collections of two sites can have one name.
    #[error("there are several computer groups {0:?}; name one by its id")]
    Several(String),
    #[error(transparent)]
    State(#[from] StateError),
}

/// The group of an id, a name or an alias.
///
/// # Errors
/// When there is none, or more than one of the name.
pub async fn find(state: &State, workspace_id: &str, text: &str) -> Result<Found, FindError> {
    // by its id it is found without reading all
    if let Some(group) = state.computer_group(text).await? {
        return Ok(Found::Kept(group));
    }
    let is_it = |name: &str, alias: &str| name.eq_ignore_ascii_case(text) || (!alias.is_empty() && alias == text);
    let groups = state.computer_groups(None).await?;
    let mut kept = groups.into_iter().filter(|group| is_it(&group.name, &group.alias));
    if let Some(group) = kept.next() {
        return match kept.any(|other| other.name.eq_ignore_ascii_case(text)) {
            true => Err(FindError::Several(text.to_owned())),
            false => Ok(Found::Kept(group)),
        };
    }
    let saved = state.saved_queries(workspace_id).await?;
    let mut saved = saved.into_iter().filter(is_computer_group);
    let found = saved.find(|one| one.id == text || is_it(&one.name, &one.function_alias));
    found.map(Found::Query).ok_or_else(|| FindError::Unknown(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tags_of_a_group_keep_those_of_others() {
        let other = Tag { name: "Team".to_owned(), value: "web".to_owned() };
        let saved = |tags: &[Tag]| SavedQuery { tags: text_of(tags), ..SavedQuery::default() };
        let with = group_tags(std::slice::from_ref(&other), true);
        assert!(is_in_management_group(&saved(&with)) && with.contains(&other));
        let without = group_tags(&with, false);
        assert!(is_computer_group(&saved(&without)) && !is_in_management_group(&saved(&without)));
        assert_eq!(without.len(), 2);
        assert!(!is_computer_group(&saved(&[other])));
    }
}
