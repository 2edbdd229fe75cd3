//! Groups that are written to a site: each as a collection with direct membership rules, made where it is missing. What is
//! there is read first and what differs is changed, so that a run that was cut off is gone on with by the next one. Rules of
//! this connection carry its mark in their names; those that others made stay.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;
use watchkeeper_configmgr::{Client, Collection, DirectRule, Part, Problem, Resource};
use watchkeeper_management::clock;
use watchkeeper_state::StateError;

use super::checks::can_be_written;
use super::{ConfigurationManagers, Connection, ImportError, KnownSite, Target, problem_json, text};
use crate::computer_groups::{self, FindError, Found, QueryGroupError};

/// Computers that are not written are listed so far.
const MOST_LISTED: usize = 200;
/// What a NetBIOS name has at most.
const NETBIOS_CHARS: usize = 15;
/// Collections of the product itself take no rules.
const BUILT_IN: &str = "SMS";
const PAUSE: Duration = Duration::from_millis(500);

/// What was written to a site.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Record {
    /// Runs in a row in which something failed.
    pub failures: i64,
    pub targets: Vec<Written>,
}

/// What became of one group.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Written {
    pub group: String,
    pub group_name: String,
    /// The name that the form has for it.
    pub collection: String,
    pub collection_id: String,
    /// Computers of the group that are members by a rule.
    pub members: u64,
    /// Those among them whose rule somebody else made.
    pub of_others: u64,
    /// By the last run.
    pub added: u64,
    pub removed: u64,
    /// Computers of the group that are no members.
    pub unknown_count: u64,
    /// The first of them.
    pub unknown: Vec<Unknown>,
    /// When it was last done, microseconds since 1970; 0: never.
    pub at: i64,
    pub problem: Option<Value>,
}

/// A computer that cannot be made a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unknown {
    pub computer: String,
    pub reason: String,
}

impl Record {
    /// Of what the store keeps.
    pub fn read(text: &str) -> Record {
        serde_json::from_str(text).unwrap_or_default()
    }
}

/// Why a group could not be written.
enum Failed {
    Problem(Problem),
    State(StateError),
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Failed::Problem(problem)
    }
}

impl From<StateError> for Failed {
    fn from(error: StateError) -> Self {
        Failed::State(error)
    }
}

impl ConfigurationManagers {
    /// Writes the groups of a connection to its site, and keeps what came of it.
    pub(super) async fn write_targets(&self, connection: &Connection, site: &KnownSite) -> Result<(), ImportError> {
        let (stored, form) = (&connection.stored, &connection.form);
        if form.targets.is_empty() && stored.written.is_empty() {
            return Ok(());
        }
        let before = Record::read(&stored.written);
        let secrets = self.secrets(&stored.connection_id).await?;
        let (tries, page) = (self.options.tries.max(1), self.options.page_rows.max(1));
        let client = form.client(&secrets, &self.clouds, self.timeout(), tries, page)?;
        let mut record = Record::default();
        for target in &form.targets {
            let known = before.targets.iter().find(|one| one.group == target.group);
            let mut written = Written {
                group: target.group.clone(),
                collection: target.collection.clone(),
                // another name in the form is another collection
                collection_id: known
                    .filter(|one| one.collection == target.collection)
                    .map(|one| one.collection_id.clone())
                    .unwrap_or_default(),
                group_name: known.map(|one| one.group_name.clone()).unwrap_or_default(),
                ..Written::default()
            };
            match self.write_target(connection, site, &client, target, &mut written).await {
                Ok(()) => written.at = clock::now(),
                Err(Failed::State(error)) => return Err(error.into()),
                Err(Failed::Problem(problem)) => {
                    tracing::warn!(connection = stored.name, group = target.group, %problem, "a group was not written");
                    written.at = known.map_or(0, |one| one.at);
                    written.problem = Some(problem_json(&problem));
                    record.failures = before.failures + 1;
                }
            }
            record.targets.push(written);
        }
        let again_at = match record.failures {
            0 => 0,
            failures => self.next_run(connection, clock::now(), failures),
        };
        Ok(self.state.note_written(&stored.connection_id, stored.revision, &text(&record), again_at).await?)
    }

    async fn write_target(
        &self,
        connection: &Connection,
        site: &KnownSite,
        client: &Client,
        target: &Target,
        written: &mut Written,
    ) -> Result<(), Failed> {
        can_be_written(site)?;
        let (name, computers) = self.computers_of(target).await?;
        written.group_name.clone_from(&name);
        let mark = mark(&connection.stored.connection_id, &target.group);
        let mut tried = 1;
        loop {
            match write(client, target, &name, &computers, &mark, written).await {
                // what was sent may have been done and its answer lost: it is looked at anew
                Err(problem) if problem.part.is_passing() && tried < self.options.tries => {
                    tracing::debug!(group = name, tried, %problem, "a group is written once more");
                    tokio::time::sleep(PAUSE * tried).await;
                    tried += 1;
                }
                outcome => return Ok(outcome?),
            }
        }
    }

    /// Name and computers of a group.
    async fn computers_of(&self, target: &Target) -> Result<(String, Vec<String>), Failed> {
        let gone = |message: String| Problem::new(Part::Settings, message, "take it out of the connection");
        match computer_groups::find(&self.state, &self.workspace_id, &target.group).await {
            Ok(Found::Kept(group)) => {
                let (mut all, mut after) = (Vec::new(), -1);
                while let Some((part, names)) =
                    self.state.computer_group_part(&group.group_id, group.version, after).await?
                {
                    all.extend(names);
                    after = part;
                }
                Ok((group.name, all))
            }
            Ok(Found::Query(saved)) => {
                let asked = self.groups.computers_of(&self.queries, &self.workspace_id, &saved.query).await;
                let names = asked.map_err(|error| match error {
                    QueryGroupError::State(error) => Failed::State(error),
                    other => Problem::new(Part::Settings, other.to_string(), "change the query of the group").into(),
                })?;
                Ok((saved.name, names))
            }
            Err(FindError::Unknown(_)) => {
                let space = self.operations.group.read();
                let group = space.find(&target.group).ok().and_then(|id| space.group(id));
                let group = group.ok_or_else(|| gone(format!("the group {:?} is not there any more", target.group)))?;
                let mut names: Vec<String> = space
                    .members(group.object.id, true)
                    .into_iter()
                    .map(|member| space.key_name(space.root(member.id)))
                    .collect();
                names.sort_unstable();
                names.dedup();
                Ok((group.object.name, names))
            }
            Err(FindError::State(error)) => Err(error.into()),
            Err(error @ FindError::Several(_)) => Err(gone(error.to_string()).into()),
        }
    }
}

/// What the names of a connection's rules for a group end with.
fn mark(connection_id: &str, group: &str) -> String {
    let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{connection_id}/{group}").as_bytes()).simple().to_string();
    format!("[Watchkeeper {}]", id.get(..8).unwrap_or(&id))
}

/// Brings a collection to the computers of a group.
async fn write(
    client: &Client,
    target: &Target,
    group: &str,
    computers: &[String],
    mark: &str,
    written: &mut Written,
) -> Result<(), Problem> {
    let (collection, is_new) = collection(client, target, group, written).await?;
    written.collection_id.clone_from(&collection.id);
    let limiting = if collection.limiting.is_empty() { &target.limiting } else { &collection.limiting };
    let (mut pages, mut resources) = (client.resources(limiting), Vec::new());
    while let Some(page) = pages.next().await? {
        resources.extend(page);
    }
    let (wanted, unknown) = assign(computers, &resources, limiting);
    let rules = client.direct_rules(&collection.id).await?;
    let there = rules.len();
    let change = Change::of(&wanted, rules, mark);
    client.delete_rules(&collection.id, &change.remove).await?;
    written.removed += change.remove.len() as u64;
    client.add_rules(&collection.id, &change.add).await?;
    written.added += change.add.len() as u64;
    // also of a run that ended before it said so: the site has not found out the members yet
    let by_rules = i64::try_from(there + change.add.len() - change.remove.len()).unwrap_or(i64::MAX);
    if is_new || !change.add.is_empty() || !change.remove.is_empty() || collection.members != by_rules {
        client.refresh_collection(&collection.id).await?;
    }
    written.members = wanted.len() as u64;
    written.of_others = change.of_others;
    written.unknown_count = unknown.len() as u64;
    written.unknown = unknown.into_iter().take(MOST_LISTED).collect();
    Ok(())
}

/// The collection of a target: the one that was written before, one of its name, or a new one.
async fn collection(
    client: &Client,
    target: &Target,
    group: &str,
    written: &Written,
) -> Result<(Collection, bool), Problem> {
    let known = match written.collection_id.as_str() {
        "" => None,
        id => client.collection_of(id).await?,
    };
    let name = if target.collection.is_empty() { group } else { &target.collection };
    let found = match known {
        Some(known) => Some(known),
        None => client.collection_named(name).await?,
    };
    if let Some(found) = found {
        if found.id.starts_with(BUILT_IN) {
            let message = format!("{:?} ({}) is a collection of the product itself", found.name, found.id);
            return Err(Problem::new(Part::Collection, message, "choose another name: it takes no membership rules"));
        }
        return Ok((found, false));
    }
    let limiting = client.collection_of(&target.limiting).await?.ok_or_else(|| {
        let message = format!("there is no collection {} that a new one could be limited to", target.limiting);
        Problem::new(Part::Collection, message, "choose a limiting collection that the account may see")
    })?;
    let comment = format!("The group {group:?} of Watchkeeper, which keeps its direct membership rules.");
    let id = client.create_collection(name, &limiting.id, &comment).await?;
    let made = Collection {
        id,
        name: name.to_owned(),
        comment,
        members: 0,
        members_changed: String::new(),
        limited_to: limiting.name,
        limiting: limiting.id,
    };
    Ok((made, true))
}

/// The devices that computers of a group are, with their names, and those that are none.
fn assign(computers: &[String], resources: &[Resource], limiting: &str) -> (Vec<(u64, String)>, Vec<Unknown>) {
    let mut named: HashMap<String, Vec<&Resource>> = HashMap::new();
    for resource in resources {
        named.entry(resource.name.to_lowercase()).or_default().push(resource);
    }
    let (mut wanted, mut unknown, mut taken) = (Vec::new(), Vec::new(), HashSet::new());
    for computer in computers {
        let label = computer.split('.').next().unwrap_or(computer).to_lowercase();
        let short: String = label.chars().take(NETBIOS_CHARS).collect();
        let found = named.get(&label).or_else(|| named.get(&short)).map(Vec::as_slice).unwrap_or_default();
        let present: Vec<&&Resource> = found.iter().filter(|one| !one.is_obsolete).collect();
        let reason = match (present.as_slice(), found.len()) {
            ([one], _) => {
                // two names of one computer
                if taken.insert(one.id) {
                    wanted.push((one.id, one.name.clone()));
                }
                continue;
            }
            ([], 0) => format!("the collection {limiting} has no device of this name"),
            ([], _) => format!("the collection {limiting} has only obsolete records of this name"),
            (several, _) => format!("the collection {limiting} has {} devices of this name", several.len()),
        };
        unknown.push(Unknown { computer: computer.clone(), reason });
    }
    (wanted, unknown)
}

/// What of the rules of a collection has to change.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    add: Vec<DirectRule>,
    remove: Vec<DirectRule>,
    of_others: u64,
}

impl Change {
    fn of(wanted: &[(u64, String)], rules: Vec<DirectRule>, mark: &str) -> Change {
        let ids: HashSet<u64> = wanted.iter().map(|(id, _)| *id).collect();
        let (own, others): (Vec<_>, Vec<_>) = rules.into_iter().partition(|rule| rule.name.ends_with(mark));
        let others: HashSet<u64> = others.into_iter().map(|rule| rule.resource).collect();
        let (mut kept, mut remove) = (HashSet::new(), Vec::new());
        for rule in own {
            if !ids.contains(&rule.resource) || !kept.insert(rule.resource) {
                remove.push(rule);
            }
        }
        let missing = wanted.iter().filter(|(id, _)| !kept.contains(id) && !others.contains(id));
        let add = missing.map(|(id, name)| DirectRule { resource: *id, name: format!("{name} {mark}") });
        let of_others = ids.intersection(&others).filter(|id| !kept.contains(*id)).count() as u64;
        Change { add: add.collect(), remove, of_others }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computers_are_the_devices_of_their_short_names() {
        let resource = |id, name: &str, is_obsolete| Resource { id, name: name.to_owned(), is_obsolete };
        let resources = [
            resource(1, "WEB1", false),
            resource(2, "WEB1", true),
            resource(3, "DB1", false),
            resource(4, "DB1", false),
            resource(5, "OLD", true),
            resource(6, "AVERYLONGCOMPUT", false),
        ];
        let names = ["web1.example.com", "WEB1", "db1", "old", "averylongcomputername.example.com", "none"];
        let (wanted, unknown) = assign(&names.map(str::to_owned), &resources, "SMS00001");
        assert_eq!(wanted, [(1, "WEB1".to_owned()), (6, "AVERYLONGCOMPUT".to_owned())]);
        let reasons: Vec<_> = unknown.iter().map(|one| (one.computer.as_str(), one.reason.as_str())).collect();
        assert_eq!(
            reasons,
            [
                ("db1", "the collection SMS00001 has 2 devices of this name"),
                ("old", "the collection SMS00001 has only obsolete records of this name"),
                ("none", "the collection SMS00001 has no device of this name"),
            ]
        );
    }

    #[test]
    fn rules_of_others_stay_and_make_ours_needless() {
        let mark = mark("c", "g");
        assert_ne!(mark, super::mark("c", "h"));
        let rule = |resource, name: &str| DirectRule { resource, name: name.to_owned() };
        let own = |resource: u64| rule(resource, &format!("PC{resource} {mark}"));
        let wanted = [(1, "PC1".to_owned()), (2, "PC2".to_owned()), (3, "PC3".to_owned())];
        let rules = vec![rule(1, "PC1"), own(2), own(2), own(4), rule(5, "PC5 [Watchkeeper 00000000]")];
        let change = Change::of(&wanted, rules, &mark);
        assert_eq!(change.add, [own(3)]);
        assert_eq!(change.remove, [own(2), own(4)]);
        assert_eq!(change.of_others, 1);
    }
}
