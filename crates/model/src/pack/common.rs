//! What elements of every kind share: versions, references by alias, places, and what a reader does not know but keeps.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::node::{Node, Place};

/// A version of four numbers, as packs have it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version(pub [u32; 4]);

/// A text that is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a version: give up to four numbers with dots between, as in 1.0.0.0")]
pub struct NotAVersion(pub String);

impl FromStr for Version {
    type Err = NotAVersion;

    /// Missing parts are zero.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NotAVersion(text.to_owned());
        let mut parts = [0; 4];
        for (count, part) in text.trim().split('.').enumerate() {
            let slot = parts.get_mut(count).ok_or_else(wrong)?;
            if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(wrong());
            }
            *slot = part.parse().map_err(|_| wrong())?;
        }
        Ok(Self(parts))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, build, revision] = self.0;
        write!(out, "{major}.{minor}.{build}.{revision}")
    }
}

/// The place of an element. Two elements are equal wherever they stand, so places compare as equal.
#[derive(Clone, Copy, Default)]
pub struct At(pub Place);

impl PartialEq for At {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for At {}

impl fmt::Debug for At {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.0.line, self.0.column)
    }
}

/// How an element names another: `Element.Id` in the same pack, `Alias!Element.Id` in a referenced one.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ref(pub String);

impl Ref {
    /// The alias of the other pack; `None`: the same pack.
    #[must_use]
    pub fn alias(&self) -> Option<&str> {
        self.0.split_once('!').map(|(alias, _)| alias)
    }

    /// The ID within its pack.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.split_once('!').map_or(self.0.as_str(), |(_, id)| id)
    }

    /// Names nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Ref {
    fn from(text: &str) -> Self {
        Self(text.trim().to_owned())
    }
}

impl fmt::Display for Ref {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Attributes and children that the schema allows (or a newer one brings) and the model has no field for. They are
/// kept and written again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extra {
    /// In the order of the file.
    pub attributes: Vec<(String, String)>,
    /// In the order of the file.
    pub children: Vec<Node>,
}

/// Whether other packs may name an element.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Accessibility {
    /// They may.
    Public,
    /// They may not; also what is meant where nothing is said.
    #[default]
    Internal,
}

/// Whether a workflow runs unless an override says otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Enabled {
    /// It runs; what is meant where nothing is said.
    #[default]
    Yes,
    /// It does not.
    No,
    /// It runs from the level "essential" on.
    Essential,
    /// It runs from the level "standard" on.
    Standard,
}

impl Enabled {
    /// As packs write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "true",
            Self::No => "false",
            Self::Essential => "onEssentialMonitoring",
            Self::Standard => "onStandardMonitoring",
        }
    }

    /// What a text means.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim() {
            "true" | "1" => Some(Self::Yes),
            "false" | "0" => Some(Self::No),
            level if level.eq_ignore_ascii_case("onEssentialMonitoring") => Some(Self::Essential),
            level if level.eq_ignore_ascii_case("onStandardMonitoring") => Some(Self::Standard),
            _ => None,
        }
    }
}

/// Whether an ID has the form that packs allow: a letter or digit first, then letters, digits, `.` and `_`, at most
/// 255 characters (specification 4.1).
#[must_use]
pub fn is_valid_id(id: &str) -> bool {
    id.len() <= super::limits::ID_LENGTH
        && id.starts_with(|first: char| first.is_ascii_alphanumeric())
        && id.chars().all(|each| each.is_ascii_alphanumeric() || each == '.' || each == '_')
}
