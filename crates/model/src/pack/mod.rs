//! Management packs: the types of their elements, reading and writing them, checking a set of them.
//!
//! Reading never stops at the first problem: it gives a pack and a list of problems. Nothing here opens files; callers
//! hand over bytes with the name to show in messages.

pub mod check;
pub mod classes;
pub mod common;
pub mod diff;
pub mod facts;
pub mod library;
pub mod limits;
pub mod modules;
pub mod monitoring;
pub mod overrides;
pub mod portability;
pub mod presentation;
pub mod problem;
pub mod set;
pub mod xml;
pub mod yaml;

use crate::ids::ElementId;
use crate::node::Node;

pub use classes::{ClassType, Property, PropertyType, RelationshipEnd, RelationshipType};
pub use common::{Accessibility, At, Enabled, Extra, Ref, Version};
pub use facts::ClassFacts;
pub use modules::{
    CompositionNode, Detection, Implementation, ModuleKind, ModuleType, ModuleUse, MonitorTypeState, Native,
    OverrideableParameter, Parameter, Schema, UnitMonitorType,
};
pub use monitoring::{
    AlertPriority, AlertSettings, AlertSeverity, Algorithm, Diagnostic, Discovery, DiscoveryType, Monitor, MonitorKind,
    OperationalState, Recovery, Rule, Task,
};
pub use overrides::{Change, Overridden, Override};
pub use presentation::{DisplayString, Folder, FolderItem, Knowledge, KnowledgeFormat, LanguagePack, View};
pub use problem::{Problem, Problems, Severity};
pub use set::{Found, PackSet};

/// What the identities of packs begin with that hold a group which somebody defined. The server writes them from the
/// definition and writes them anew when it changes, so that they may refer to packs that are not sealed.
pub const DEFINED_GROUPS: &str = "Watchkeeper.Groups.";

/// The token of the key that the vendor's packs are signed with.
pub const VENDOR_TOKEN: &str = "31bf3856ad364e35";

/// A management pack.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ManagementPack {
    /// Its ID: unique in a management group.
    pub id: String,
    /// Of its content.
    pub version: Version,
    /// As the manifest has it; people see the display string.
    pub name: String,
    /// The key that it is sealed with; empty: not sealed.
    pub public_key_token: String,
    /// It cannot be changed except by overrides, and other packs may refer to it.
    pub sealed: bool,
    /// A part of a pack: `ManagementPackFragment`.
    pub fragment: bool,
    /// `1.0`, `1.1` or `2.0`.
    pub schema_version: String,
    /// Packs that it names by alias.
    pub references: Vec<Reference>,
    /// Classes.
    pub classes: Vec<ClassType>,
    /// Relationships.
    pub relationships: Vec<RelationshipType>,
    /// Data types: what flows between modules.
    pub data_types: Vec<Kept>,
    /// Schema types: shared parts of configuration schemas.
    pub schema_types: Vec<Kept>,
    /// Run As profiles.
    pub secure_references: Vec<Kept>,
    /// Module types.
    pub modules: Vec<ModuleType>,
    /// Types of unit monitors.
    pub monitor_types: Vec<UnitMonitorType>,
    /// Categories.
    pub categories: Vec<Kept>,
    /// Discoveries.
    pub discoveries: Vec<Discovery>,
    /// Rules.
    pub rules: Vec<Rule>,
    /// Tasks.
    pub tasks: Vec<Task>,
    /// Monitors of all kinds.
    pub monitors: Vec<Monitor>,
    /// Diagnostics.
    pub diagnostics: Vec<Diagnostic>,
    /// Recoveries.
    pub recoveries: Vec<Recovery>,
    /// Overrides.
    pub overrides: Vec<Override>,
    /// Views.
    pub views: Vec<View>,
    /// Folders.
    pub folders: Vec<Folder>,
    /// What is in folders.
    pub folder_items: Vec<FolderItem>,
    /// Texts of alerts.
    pub string_resources: Vec<Kept>,
    /// View types.
    pub view_types: Vec<Kept>,
    /// Images and console tasks.
    pub console: Vec<Kept>,
    /// Texts by language.
    pub languages: Vec<LanguagePack>,
    /// Sections that are kept and written again but do nothing here (templates, reports, resources), each under the
    /// path of the sections around it: `("Presentation", ComponentTypes)`.
    pub kept: Vec<(String, Node)>,
    /// Where it stands.
    pub at: At,
    /// Attributes and manifest parts that the model has no field for.
    pub extra: Extra,
    /// The file, for messages; not part of the pack.
    pub file: FileName,
}

/// The name of a file in messages. Packs are equal whatever their files are called.
#[derive(Debug, Clone, Default)]
pub struct FileName(pub String);

impl PartialEq for FileName {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Another pack that a pack names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reference {
    /// How elements name it.
    pub alias: String,
    /// Its ID.
    pub id: String,
    /// At least this one.
    pub version: Version,
    /// The key that it is sealed with.
    pub public_key_token: Option<String>,
    /// Where it stands.
    pub at: At,
}

/// An element with an ID that is kept as it stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Kept {
    /// Its ID in the pack.
    pub id: String,
    /// The element.
    pub node: Node,
    /// Where it stands.
    pub at: At,
}

/// What an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ElementKind {
    /// [`ClassType`].
    Class,
    /// [`RelationshipType`].
    Relationship,
    /// A data type.
    DataType,
    /// A schema type.
    SchemaType,
    /// A Run As profile.
    SecureReference,
    /// [`ModuleType`].
    Module(ModuleKind),
    /// [`UnitMonitorType`].
    MonitorType,
    /// A category.
    Category,
    /// [`Discovery`].
    Discovery,
    /// [`Rule`].
    Rule,
    /// [`Task`].
    Task,
    /// [`Monitor`].
    Monitor,
    /// [`Diagnostic`].
    Diagnostic,
    /// [`Recovery`].
    Recovery,
    /// [`Override`].
    Override,
    /// [`View`].
    View,
    /// [`Folder`].
    Folder,
    /// A string resource.
    StringResource,
    /// A view type.
    ViewType,
    /// An image or console task.
    Console,
}

impl ElementKind {
    /// For messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Class => "class",
            Self::Relationship => "relationship",
            Self::DataType => "data type",
            Self::SchemaType => "schema type",
            Self::SecureReference => "Run As profile",
            Self::Module(ModuleKind::DataSource) => "data source type",
            Self::Module(ModuleKind::ProbeAction) => "probe action type",
            Self::Module(ModuleKind::ConditionDetection) => "condition detection type",
            Self::Module(ModuleKind::WriteAction) => "write action type",
            Self::MonitorType => "monitor type",
            Self::Category => "category",
            Self::Discovery => "discovery",
            Self::Rule => "rule",
            Self::Task => "task",
            Self::Monitor => "monitor",
            Self::Diagnostic => "diagnostic",
            Self::Recovery => "recovery",
            Self::Override => "override",
            Self::View => "view",
            Self::Folder => "folder",
            Self::StringResource => "string resource",
            Self::ViewType => "view type",
            Self::Console => "console element",
        }
    }
}

impl ManagementPack {
    /// Every element with an ID of its own: what it is, its ID, where it stands. Folder items are not among them: their
    /// IDs may be those of what they hold.
    #[must_use]
    pub fn elements(&self) -> Vec<(ElementKind, &str, At)> {
        let mut all = Vec::new();
        macro_rules! list {
            ($field:ident, $kind:expr) => {
                all.extend(self.$field.iter().map(|each| ($kind, each.id.as_str(), each.at)));
            };
        }
        list!(classes, ElementKind::Class);
        list!(relationships, ElementKind::Relationship);
        list!(data_types, ElementKind::DataType);
        list!(schema_types, ElementKind::SchemaType);
        list!(secure_references, ElementKind::SecureReference);
        all.extend(self.modules.iter().map(|each| (ElementKind::Module(each.kind), each.id.as_str(), each.at)));
        list!(monitor_types, ElementKind::MonitorType);
        list!(categories, ElementKind::Category);
        list!(discoveries, ElementKind::Discovery);
        list!(rules, ElementKind::Rule);
        list!(tasks, ElementKind::Task);
        list!(monitors, ElementKind::Monitor);
        list!(diagnostics, ElementKind::Diagnostic);
        all.extend(self.recoveries.iter().map(|each| (ElementKind::Recovery, each.base.id.as_str(), each.base.at)));
        list!(overrides, ElementKind::Override);
        list!(views, ElementKind::View);
        list!(folders, ElementKind::Folder);
        list!(string_resources, ElementKind::StringResource);
        list!(view_types, ElementKind::ViewType);
        list!(console, ElementKind::Console);
        all
    }

    /// The identity of one of its elements.
    #[must_use]
    pub fn element_id(&self, element: &str) -> ElementId {
        ElementId::of(&self.id, element)
    }

    /// The name and description of an element in a language, else in the default one, else in any.
    #[must_use]
    pub fn display(&self, element: &str, sub_element: Option<&str>, language: &str) -> Option<&DisplayString> {
        let in_pack = |pack: &&LanguagePack| {
            pack.strings.iter().any(|text| text.element.0 == element && text.sub_element.as_deref() == sub_element)
        };
        let found = self.languages.iter().filter(in_pack).min_by_key(|pack| (pack.id != language, !pack.is_default))?;
        found.strings.iter().find(|text| text.element.0 == element && text.sub_element.as_deref() == sub_element)
    }

    /// The article about an element, in a language, else in the default one, else in any.
    #[must_use]
    pub fn knowledge(&self, element: &str, language: &str) -> Option<&Knowledge> {
        let of = |pack: &LanguagePack| pack.knowledge.iter().any(|article| article.element.0 == element);
        let found =
            self.languages.iter().filter(|pack| of(pack)).min_by_key(|pack| (pack.id != language, !pack.is_default))?;
        found.knowledge.iter().find(|article| article.element.0 == element)
    }
}
