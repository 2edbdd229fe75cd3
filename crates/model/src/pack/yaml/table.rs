//! Which key stands for what, for reading and writing.

/// A kind of element and its section.
pub struct Kind {
    /// The key at the top of the file.
    pub key: &'static str,
    /// The sections around it in a pack.
    pub path: &'static [&'static str],
    /// The elements that can stand there; the first is meant where nothing says otherwise.
    pub elements: &'static [&'static str],
    /// Its keys.
    pub fields: &'static [Field],
    /// Keys that are read with code of their own.
    pub special: &'static [&'static str],
}

/// What a key of an element stands for.
pub struct Field {
    /// The key.
    pub key: &'static str,
    /// What it becomes.
    pub to: To,
    /// Short words and what they stand for; others stand for themselves.
    pub words: &'static [(&'static str, &'static str)],
    /// What is meant where the key is missing; `None`: nothing is written.
    pub default: Option<&'static str>,
}

/// What a key becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// An attribute.
    Attribute(&'static str),
    /// A child with a text.
    Child(&'static str),
    /// A module.
    Module(&'static str, &'static str),
    /// Modules in a section: section, element, usual ID.
    Modules(&'static str, &'static str, &'static str),
}

/// Words for health.
pub const HEALTH: &[(&str, &str)] = &[("healthy", "Success"), ("warning", "Warning"), ("critical", "Error")];
/// Words for the monitors that most others roll up to; the reference to their pack goes before.
pub const PARENTS: &[(&str, &str)] = &[
    ("availability", "System.Health.AvailabilityState"),
    ("performance", "System.Health.PerformanceState"),
    ("configuration", "System.Health.ConfigurationState"),
    ("security", "System.Health.SecurityState"),
    ("entity", "System.Health.EntityState"),
];
const ACCESS: &[(&str, &str)] = &[("public", "Public"), ("internal", "Internal")];
const ROLLUP: &[(&str, &str)] = &[("worst", "WorstOf"), ("best", "BestOf"), ("percent", "Percentage")];
/// Words for severity.
pub const SEVERITY: &[(&str, &str)] =
    &[("match", "MatchMonitorHealth"), ("information", "Information"), ("warning", "Warning"), ("critical", "Error")];
/// Words for priority.
pub const PRIORITY: &[(&str, &str)] = &[("low", "Low"), ("normal", "Normal"), ("high", "High")];

const fn attribute(key: &'static str, name: &'static str) -> Field {
    Field { key, to: To::Attribute(name), words: &[], default: None }
}

const fn preset(key: &'static str, name: &'static str, default: &'static str) -> Field {
    Field { key, to: To::Attribute(name), words: &[], default: Some(default) }
}

const fn child(key: &'static str, name: &'static str) -> Field {
    Field { key, to: To::Child(name), words: &[], default: None }
}

const fn module(key: &'static str, element: &'static str, id: &'static str) -> Field {
    Field { key, to: To::Module(element, id), words: &[], default: None }
}

const fn modules(key: &'static str, section: &'static str, element: &'static str, id: &'static str) -> Field {
    Field { key, to: To::Modules(section, element, id), words: &[], default: None }
}

const ACCESSIBILITY: Field =
    Field { key: "access", to: To::Attribute("Accessibility"), words: ACCESS, default: Some("Public") };
const ENABLED: Field = preset("enabled", "Enabled", "true");
const TARGET: Field = attribute("target", "Target");
const CATEGORY: Field = child("category", "Category");
const ON: Field = Field { key: "on", to: To::Attribute("ExecuteOnState"), words: HEALTH, default: None };
const ABSTRACT: Field = preset("abstract", "Abstract", "false");

/// The fields of the alert of a monitor.
pub const ALERT: &[Field] = &[
    Field { key: "on", to: To::Child("AlertOnState"), words: HEALTH, default: Some("Error") },
    Field { key: "resolve", to: To::Child("AutoResolve"), words: &[], default: Some("true") },
    Field { key: "priority", to: To::Child("AlertPriority"), words: PRIORITY, default: Some("Normal") },
    Field { key: "severity", to: To::Child("AlertSeverity"), words: SEVERITY, default: Some("MatchMonitorHealth") },
];

/// All kinds that have a short form.
pub const KINDS: &[Kind] = &[
    Kind {
        key: "classes",
        path: &["TypeDefinitions", "EntityTypes", "ClassTypes"],
        elements: &["ClassType"],
        fields: &[
            attribute("base", "Base"),
            ACCESSIBILITY,
            ABSTRACT,
            preset("hosted", "Hosted", "false"),
            preset("singleton", "Singleton", "false"),
            preset("extension", "Extension", "false"),
        ],
        special: &["properties"],
    },
    Kind {
        key: "relationships",
        path: &["TypeDefinitions", "EntityTypes", "RelationshipTypes"],
        elements: &["RelationshipType"],
        fields: &[attribute("base", "Base"), ACCESSIBILITY, ABSTRACT],
        special: &["source", "target", "properties"],
    },
    Kind {
        key: "modules",
        path: &["TypeDefinitions", "ModuleTypes"],
        elements: &[
            "DataSourceModuleType",
            "ProbeActionModuleType",
            "ConditionDetectionModuleType",
            "WriteActionModuleType",
        ],
        fields: &[ACCESSIBILITY, attribute("run_as", "RunAs")],
        special: &["kind", "parameters", "members", "flow", "native", "output", "input"],
    },
    Kind {
        key: "monitor_types",
        path: &["TypeDefinitions", "MonitorTypes"],
        elements: &["UnitMonitorType"],
        fields: &[ACCESSIBILITY, attribute("run_as", "RunAs")],
        special: &["states", "parameters", "members", "detect", "recalculate"],
    },
    Kind {
        key: "discoveries",
        path: &["Monitoring", "Discoveries"],
        elements: &["Discovery"],
        fields: &[ENABLED, TARGET, CATEGORY, module("source", "DataSource", "DS")],
        special: &["finds", "relates"],
    },
    Kind {
        key: "rules",
        path: &["Monitoring", "Rules"],
        elements: &["Rule"],
        fields: &[
            ENABLED,
            TARGET,
            CATEGORY,
            modules("source", "DataSources", "DataSource", "DS"),
            module("condition", "ConditionDetection", "CD"),
            modules("actions", "WriteActions", "WriteAction", "WA"),
        ],
        special: &["collect", "alert"],
    },
    Kind {
        key: "tasks",
        path: &["Monitoring", "Tasks"],
        elements: &["Task"],
        fields: &[
            ACCESSIBILITY,
            ENABLED,
            TARGET,
            attribute("timeout", "Timeout"),
            CATEGORY,
            module("action", "WriteAction", "WA"),
            module("probe", "ProbeAction", "PA"),
        ],
        special: &[],
    },
    Kind {
        key: "monitors",
        path: &["Monitoring", "Monitors"],
        elements: &["UnitMonitor", "AggregateMonitor", "DependencyMonitor"],
        fields: &[
            ACCESSIBILITY,
            ENABLED,
            TARGET,
            CATEGORY,
            attribute("type", "TypeID"),
            attribute("run_as", "RunAs"),
            attribute("through", "RelationshipType"),
            attribute("member", "MemberMonitor"),
            Field { key: "rollup", to: To::Child("Algorithm"), words: ROLLUP, default: None },
            child("percent", "AlgorithmParameter"),
            Field { key: "in_maintenance", to: To::Child("MemberInMaintenance"), words: HEALTH, default: None },
            Field { key: "unavailable", to: To::Child("MemberUnAvailable"), words: HEALTH, default: None },
        ],
        special: &["parent", "states", "parameters", "alert"],
    },
    Kind {
        key: "diagnostics",
        path: &["Monitoring", "Diagnostics"],
        elements: &["Diagnostic"],
        fields: &[
            ACCESSIBILITY,
            ENABLED,
            TARGET,
            attribute("monitor", "Monitor"),
            ON,
            attribute("timeout", "Timeout"),
            CATEGORY,
            module("condition", "ConditionDetection", "CD"),
            module("action", "WriteAction", "WA"),
            module("probe", "ProbeAction", "PA"),
        ],
        special: &[],
    },
    Kind {
        key: "recoveries",
        path: &["Monitoring", "Recoveries"],
        elements: &["Recovery"],
        fields: &[
            ACCESSIBILITY,
            ENABLED,
            TARGET,
            attribute("monitor", "Monitor"),
            ON,
            attribute("after", "ExecuteOnDiagnostic"),
            preset("reset", "ResetMonitor", "false"),
            attribute("timeout", "Timeout"),
            CATEGORY,
            module("condition", "ConditionDetection", "CD"),
            module("action", "WriteAction", "WA"),
            module("probe", "ProbeAction", "PA"),
        ],
        special: &[],
    },
    Kind {
        key: "overrides",
        path: &["Monitoring", "Overrides"],
        elements: &[],
        fields: &[
            attribute("rule", "Rule"),
            attribute("monitor", "Monitor"),
            attribute("discovery", "Discovery"),
            attribute("diagnostic", "Diagnostic"),
            attribute("recovery", "Recovery"),
            attribute("category", "Category"),
            attribute("profile", "SecureReference"),
            attribute("property", "Property"),
            attribute("parameter", "Parameter"),
            attribute("module", "Module"),
            attribute("context", "Context"),
            attribute("object", "ContextInstance"),
            preset("enforced", "Enforced", "false"),
            child("value", "Value"),
        ],
        special: &[],
    },
    Kind {
        key: "views",
        path: &["Presentation", "Views"],
        elements: &["View"],
        fields: &[
            ACCESSIBILITY,
            ENABLED,
            TARGET,
            attribute("type", "TypeID"),
            preset("visible", "Visible", "true"),
            CATEGORY,
        ],
        special: &["folder"],
    },
    Kind {
        key: "folders",
        path: &["Presentation", "Folders"],
        elements: &["Folder"],
        fields: &[ACCESSIBILITY, attribute("parent", "ParentFolder")],
        special: &[],
    },
    Kind {
        key: "strings",
        path: &["Presentation", "StringResources"],
        elements: &["StringResource"],
        fields: &[],
        special: &[],
    },
];

/// What a short word stands for.
pub fn long<'a>(words: &[(&'a str, &'a str)], word: &'a str) -> &'a str {
    words.iter().find(|(short, _)| *short == word).map_or(word, |(_, long)| *long)
}

/// The short word for a long one.
pub fn short<'a>(words: &[(&'a str, &'a str)], word: &'a str) -> &'a str {
    words.iter().find(|(_, long)| *long == word).map_or(word, |(short, _)| *short)
}
