//! Overrides as packs write them (specification 7).

use super::common::{At, Extra, Ref};

/// What an override changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Overridden {
    /// A rule.
    Rule,
    /// A monitor of any kind.
    Monitor,
    /// A discovery.
    Discovery,
    /// A diagnostic.
    Diagnostic,
    /// A recovery.
    Recovery,
    /// All elements of a category.
    Category,
    /// A Run As profile.
    SecureReference,
}

impl Overridden {
    /// All.
    pub const ALL: [Self; 7] = [
        Self::Rule,
        Self::Monitor,
        Self::Discovery,
        Self::Diagnostic,
        Self::Recovery,
        Self::Category,
        Self::SecureReference,
    ];

    /// The attribute that names it, which is also how the element's name begins.
    #[must_use]
    pub fn attribute(self) -> &'static str {
        match self {
            Self::Rule => "Rule",
            Self::Monitor => "Monitor",
            Self::Discovery => "Discovery",
            Self::Diagnostic => "Diagnostic",
            Self::Recovery => "Recovery",
            Self::Category => "Category",
            Self::SecureReference => "SecureReference",
        }
    }
}

/// What of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A property that all of the kind have, such as `Enabled`.
    Property(String),
    /// A parameter that its type declares as overrideable.
    Configuration {
        /// The name of the parameter.
        parameter: String,
        /// The module of a rule, discovery, diagnostic or recovery.
        module: Option<String>,
    },
    /// The whole: a category's or profile's value.
    Whole,
}

/// One override.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// Its ID in the pack.
    pub id: String,
    /// What kind of element it changes.
    pub kind: Overridden,
    /// Which element; for a category its name.
    pub element: Ref,
    /// What of it.
    pub change: Change,
    /// The class or group for whose objects it holds.
    pub context: Option<Ref>,
    /// The one object for which it holds (a GUID).
    pub context_instance: Option<String>,
    /// Wins among those of the same form and context.
    pub enforced: bool,
    /// The new value.
    pub value: String,
    /// Where it stands.
    pub at: At,
    /// What the model has no field for.
    pub extra: Extra,
}
