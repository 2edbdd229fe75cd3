//! Run As (specification 8.1): which account stands for a profile for an object. Workflows ask for profiles; agents are
//! told the accounts' identities, so that one profile may mean another account for another object.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::node::Node;
use watchkeeper_model::overrides::{Override, Overrides, Scope, Setting, Standing};
use watchkeeper_model::substitute::{Resolved, Resolver, Template, Variable, VariableKind, substitute};
use watchkeeper_model::workflow::Workflows;
use watchkeeper_state::RunAsAssociation;

use super::{Library, Space};

/// The accounts of profiles. An association for an object beats one for a group beats one for a class, as overrides do.
pub(super) struct Profiles(Option<Overrides>);

impl Profiles {
    pub fn new(space: &Space, associations: &[RunAsAssociation]) -> Self {
        if associations.is_empty() {
            return Self(None);
        }
        let read = |one: &RunAsAssociation| {
            Some(Override {
                id: format!("{} {}", one.profile, one.scope),
                workflow: profile_id(&one.profile)?,
                scope: scope_of(space, &one.scope)?,
                enforced: false,
                setting: account_setting(),
                value: one.account_id.clone(),
            })
        };
        Self(Some(Overrides::new(associations.iter().filter_map(read))))
    }

    /// Puts the identities of accounts in the place of profiles that have one; gives those that are needed.
    pub fn assign(&self, space: &Space, workflows: &mut Workflows) -> BTreeSet<String> {
        let mut needed = BTreeSet::new();
        let Some(all) = &self.0 else { return needed };
        let mut standings: BTreeMap<ObjectId, Standing> = BTreeMap::new();
        for workflow in &mut workflows.workflows {
            let mut profiles = BTreeSet::new();
            for module in &workflow.modules {
                profiles.extend(module.run_as.clone());
                profiles_in(&module.configuration, &mut profiles);
            }
            if profiles.is_empty() {
                continue;
            }
            let object = workflow.object;
            let standing = standings.entry(object).or_insert_with(|| space.standing(object));
            let account = |profile: &String| {
                let found = all.effective(profile_id(profile)?, standing);
                let account = found.get(&account_setting())?.wins.value.clone();
                Some((profile.clone(), account))
            };
            let accounts = Accounts(profiles.iter().filter_map(account).collect());
            if accounts.0.is_empty() {
                continue;
            }
            for module in &mut workflow.modules {
                if let Some(account) = module.run_as.as_ref().and_then(|profile| accounts.0.get(profile)) {
                    module.run_as = Some(account.clone());
                }
                // a text that cannot be read stays, and the agent says so
                if let Ok(configuration) = substitute(&module.configuration, &accounts) {
                    module.configuration = configuration;
                }
            }
            needed.extend(accounts.0.into_values());
        }
        needed
    }
}

fn account_setting() -> Setting {
    Setting::Property("RunAsAccount".to_owned())
}

fn profile_id(name: &str) -> Option<ElementId> {
    name.split_once('!').map(|(pack, id)| ElementId::of(pack, id))
}

/// Empty: everything; else the identity of a class, a group or an object.
fn scope_of(space: &Space, scope: &str) -> Option<Scope> {
    if scope.is_empty() {
        return Some(Scope::Class(ElementId::of("System.Library", "System.Entity")));
    }
    let id = Uuid::try_parse(scope).ok()?;
    let library: &Library = &space.library;
    if library.element(ElementId(id)).is_some() {
        return library.scope(Some(ElementId(id)), "");
    }
    let group = ElementId::of("System.Library", "System.Group");
    Some(match space.objects.is_a(ObjectId(id), group, library) {
        true => Scope::Group(ObjectId(id)),
        false => Scope::Object(ObjectId(id)),
    })
}

fn profiles_in(node: &Node, found: &mut BTreeSet<String>) {
    let texts = node.attributes.iter().map(|(_, value)| value).chain([&node.text]);
    for text in texts.filter(|text| text.contains("$RunAs")) {
        let Ok(template) = Template::parse(text) else { continue };
        found.extend(template.variables().filter_map(|variable| match &variable.kind {
            VariableKind::RunAs { profile, .. } => Some(profile.clone()),
            _ => None,
        }));
    }
    node.children.iter().for_each(|child| profiles_in(child, found));
}

/// Profiles and the accounts that stand for them.
struct Accounts(BTreeMap<String, String>);

impl Resolver for Accounts {
    fn resolve(&self, variable: &Variable) -> Resolved<'_> {
        match &variable.kind {
            VariableKind::RunAs { profile, field } => match self.0.get(profile) {
                Some(account) => Resolved::Text(format!("$RunAs[Name=\"{account}\"]/{field}$")),
                None => Resolved::Later,
            },
            _ => Resolved::Later,
        }
    }
}
