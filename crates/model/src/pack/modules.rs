//! Module types and their use: the steps of workflows.

use crate::node::Node;

use super::common::{Accessibility, At, Extra, Ref};

/// The four kinds of modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ModuleKind {
    /// Gives items by itself.
    DataSource,
    /// Looks something up for each item.
    ProbeAction,
    /// Lets items through, maps or counts them.
    ConditionDetection,
    /// Does something with each item.
    WriteAction,
}

impl ModuleKind {
    /// All.
    pub const ALL: [Self; 4] = [Self::DataSource, Self::ProbeAction, Self::ConditionDetection, Self::WriteAction];

    /// The element that uses a module of this kind.
    #[must_use]
    pub fn element(self) -> &'static str {
        match self {
            Self::DataSource => "DataSource",
            Self::ProbeAction => "ProbeAction",
            Self::ConditionDetection => "ConditionDetection",
            Self::WriteAction => "WriteAction",
        }
    }

    /// The element that declares a type of this kind.
    #[must_use]
    pub fn type_element(self) -> &'static str {
        match self {
            Self::DataSource => "DataSourceModuleType",
            Self::ProbeAction => "ProbeActionModuleType",
            Self::ConditionDetection => "ConditionDetectionModuleType",
            Self::WriteAction => "WriteActionModuleType",
        }
    }
}

/// A type of modules.
#[derive(Debug, Clone, PartialEq)]
pub struct ModuleType {
    /// Its ID in the pack.
    pub id: String,
    /// Of which kind its modules are.
    pub kind: ModuleKind,
    /// Whether other packs may name it.
    pub accessibility: Accessibility,
    /// The Run As profile that its modules use.
    pub run_as: Option<Ref>,
    /// What its modules are configured with.
    pub configuration: Schema,
    /// What overrides may change.
    pub overrideable: Vec<OverrideableParameter>,
    /// What its modules do.
    pub implementation: Implementation,
    /// What its modules give; `None`: nothing.
    pub output: Option<Ref>,
    /// What its modules take.
    pub inputs: Vec<Ref>,
    /// Takes an item only as a trigger.
    pub trigger_only: bool,
    /// Where it stands.
    pub at: At,
    /// What the model has no field for.
    pub extra: Extra,
}

/// What a type of modules or monitors is configured with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Schema {
    /// Shared schema types that the parameters use (`IncludeSchemaTypes`).
    pub includes: Vec<Ref>,
    /// In the order of the file.
    pub parameters: Vec<Parameter>,
    /// Declarations other than plain elements, such as named types, kept as they are.
    pub other: Vec<Node>,
    /// Where it stands.
    pub at: At,
}

impl Schema {
    /// A parameter by name.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|known| known.name == name)
    }

    /// Whether parameters can stand in it that are not listed: a wildcard, a choice, or an included schema.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.other.is_empty()
    }
}

/// One parameter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameter {
    /// The element in a configuration.
    pub name: String,
    /// As the schema writes it: `xsd:string`, `ExpressionType`.
    pub kind: Option<String>,
    /// May be left out.
    pub optional: bool,
    /// May stand more than once.
    pub repeated: bool,
    /// The whole declaration, as it stands in the file.
    pub declaration: Node,
    /// Where it stands.
    pub at: At,
}

/// A parameter that overrides may change.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OverrideableParameter {
    /// The name that overrides use.
    pub id: String,
    /// Which value of the configuration it stands for: `$Config/IntervalSeconds$`.
    pub selector: String,
    /// `int`, `double`, `string` or `bool`.
    pub kind: String,
    /// Where it stands.
    pub at: At,
}

/// What modules of a type do.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Implementation {
    /// Nothing is said.
    #[default]
    Missing,
    /// Code of the agent.
    Native(Native),
    /// Other modules.
    Composite {
        /// The modules, by their IDs.
        members: Vec<ModuleUse>,
        /// Which takes from which; `None`: the file has none.
        composition: Option<CompositionNode>,
        /// Attributes of the implementation (`Isolation`).
        extra: Extra,
    },
}

/// Code outside of packs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Native {
    /// Whether an agent of this product has it. Packs that come from elsewhere say nothing.
    pub runs: Option<bool>,
    /// Why not, or with what limits.
    pub why: Option<String>,
    /// The element with its class ID or assembly, as it stands in the file.
    pub declaration: Node,
    /// Attributes of the implementation (`Isolation`).
    pub extra: Extra,
}

/// A module in a workflow or composition.
#[derive(Debug, Clone, PartialEq)]
pub struct ModuleUse {
    /// Its ID among its neighbours.
    pub id: String,
    /// Of which kind.
    pub kind: ModuleKind,
    /// Its type.
    pub type_id: Ref,
    /// The Run As profile that it uses.
    pub run_as: Option<Ref>,
    /// The object that it runs on, where it is not the target's health service.
    pub target: Option<String>,
    /// An element `Configuration` with the parameters as children.
    pub configuration: Node,
    /// Where it stands.
    pub at: At,
    /// Attributes that the model has no field for.
    pub extra: Extra,
}

/// A module in a composition, with those whose items it takes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CompositionNode {
    /// The ID of a member module.
    pub id: String,
    /// What it takes from.
    pub inputs: Vec<CompositionNode>,
    /// Where it stands.
    pub at: At,
}

impl CompositionNode {
    /// This and all below, the ones that come first in a workflow last.
    #[must_use]
    pub fn flattened(&self) -> Vec<&Self> {
        let mut all = vec![self];
        let mut next = 0;
        while let Some(node) = all.get(next).copied() {
            all.extend(&node.inputs);
            next += 1;
        }
        all
    }
}

/// A type of unit monitors.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UnitMonitorType {
    /// Its ID in the pack.
    pub id: String,
    /// Whether other packs may name it.
    pub accessibility: Accessibility,
    /// The Run As profile that its modules use.
    pub run_as: Option<Ref>,
    /// What its monitors can say.
    pub states: Vec<MonitorTypeState>,
    /// What its monitors are configured with.
    pub configuration: Schema,
    /// What overrides may change.
    pub overrideable: Vec<OverrideableParameter>,
    /// The modules, by their IDs.
    pub members: Vec<ModuleUse>,
    /// What leads to each state.
    pub regular: Vec<Detection>,
    /// The same for checks on demand.
    pub on_demand: Vec<Detection>,
    /// Where it stands.
    pub at: At,
    /// What the model has no field for.
    pub extra: Extra,
}

/// A state that monitors of a type can say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MonitorTypeState {
    /// Its ID in the type.
    pub id: String,
    /// Nothing leads to it but a reset by hand.
    pub no_detection: bool,
    /// Where it stands.
    pub at: At,
}

/// What leads to a state.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Detection {
    /// The state.
    pub state: String,
    /// The module whose items mean it, with those that it takes from.
    pub node: CompositionNode,
    /// Where it stands.
    pub at: At,
}
