//! Checks a set of packs: every name means something, every type is sound. Each problem names the file, the place, the
//! element and what to do. What an error is about does not work; the rest does.

mod modules;
mod names;
mod types;
mod workflows;

use std::collections::{BTreeSet, HashMap};

use super::common::{At, is_valid_id};
use super::problem::{Problem, Problems, Severity, did_you_mean};
use super::{DEFINED_GROUPS, ManagementPack, PackSet, library};

impl PackSet {
    /// Takes packs, adds the libraries, and checks everything.
    #[must_use]
    pub fn load(packs: Vec<ManagementPack>) -> (Self, Vec<Problem>) {
        let mut problems = Vec::new();
        let packs = without_doubles(packs, &mut problems);
        let mut set = Self::of(packs);
        check_references(&mut set, &mut problems);
        let mut broken = BTreeSet::new();
        for pack in set.packs() {
            let mut found = Problems::of(&pack.file.0);
            check_ids(pack, &mut found);
            types::check(&set, pack, &mut found);
            modules::check(&set, pack, &mut found);
            workflows::check(&set, pack, &mut found);
            let found = found.into_list();
            broken.extend(
                found
                    .iter()
                    .filter(|each| each.severity == Severity::Error)
                    .map(|each| (pack.id.clone(), each.element.clone())),
            );
            problems.extend(found);
        }
        set.set_broken(broken);
        (set, problems)
    }
}

fn problem(pack: &ManagementPack, at: At, severity: Severity, message: String) -> Problem {
    Problem { file: pack.file.0.clone(), place: at.0, element: pack.id.clone(), message, severity }
}

/// Of packs with one ID the newest; libraries win over all.
fn without_doubles(packs: Vec<ManagementPack>, problems: &mut Vec<Problem>) -> Vec<ManagementPack> {
    let mut kept: Vec<ManagementPack> = Vec::new();
    for pack in packs {
        if library::libraries().iter().any(|known| known.id == pack.id) {
            problems.push(problem(
                &pack,
                pack.at,
                Severity::Note,
                format!("{} is built in; the built-in one is used", pack.id),
            ));
            continue;
        }
        if let Some(known) = kept.iter_mut().find(|known| known.id == pack.id) {
            let message = format!(
                "two packs have the ID {}: version {} and version {} in {}; the newer one counts, remove the other",
                pack.id, pack.version, known.version, known.file.0
            );
            problems.push(problem(&pack, pack.at, Severity::Error, message));
            if pack.version > known.version {
                *known = pack;
            }
            continue;
        }
        kept.push(pack);
    }
    kept
}

fn check_references(set: &mut PackSet, problems: &mut Vec<Problem>) {
    let mut unusable = Vec::new();
    for pack in set.packs() {
        let mut aliases = BTreeSet::new();
        for reference in &pack.references {
            let mut error = |message: String| {
                problems.push(problem(pack, reference.at, Severity::Error, message.clone()));
                unusable.push((pack.id.clone(), reference.alias.clone(), message));
            };
            if !aliases.insert(reference.alias.as_str()) {
                error(format!("two references have the alias '{}'; rename one", reference.alias));
                continue;
            }
            if reference.id == pack.id {
                error(format!("the pack refers to itself by the alias '{}'; leave the alias out", reference.alias));
                continue;
            }
            let Some(other) = set.pack(&reference.id) else {
                let hint = did_you_mean(&reference.id, set.packs().iter().map(|known| known.id.as_str()));
                error(format!("the referenced pack {} is not loaded; import it first{hint}", reference.id));
                continue;
            };
            if other.version < reference.version {
                error(format!(
                    "{} has version {}, and at least {} is needed; import a newer one",
                    other.id, other.version, reference.version
                ));
            } else if !other.sealed && !pack.id.starts_with(DEFINED_GROUPS) {
                error(format!(
                    "{} is not sealed, so other packs cannot refer to it; seal it, or put both into one pack",
                    other.id
                ));
            } else if let Some(token) = &reference.public_key_token
                && !token.eq_ignore_ascii_case(&other.public_key_token)
            {
                error(format!(
                    "{} is sealed with the key {}, and the reference asks for {token}; it may be another pack of the \
                     same name",
                    other.id, other.public_key_token
                ));
            }
        }
    }
    for (pack, cycle, at) in reference_cycles(set) {
        let message = format!("packs refer to each other in a circle: {cycle}; move what both need into a third pack");
        if let Some(pack) = set.pack(&pack) {
            problems.push(problem(pack, at, Severity::Error, message));
        }
    }
    for (pack, alias, reason) in unusable {
        set.set_unusable(&pack, &alias, reason);
    }
}

/// Circles of references: the pack where one is closed, the way around, and the reference.
fn reference_cycles(set: &PackSet) -> Vec<(String, String, At)> {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        Open,
        Done,
    }
    fn visit<'a>(
        set: &'a PackSet,
        pack: &'a ManagementPack,
        path: &mut Vec<&'a str>,
        seen: &mut HashMap<&'a str, Seen>,
        cycles: &mut Vec<(String, String, At)>,
    ) {
        seen.insert(&pack.id, Seen::Open);
        path.push(&pack.id);
        for reference in &pack.references {
            let Some(next) = set.pack(&reference.id).filter(|next| next.id != pack.id) else { continue };
            match seen.get(next.id.as_str()) {
                Some(Seen::Done) => {}
                Some(Seen::Open) => {
                    let from = path.iter().position(|each| *each == next.id).unwrap_or(0);
                    let mut way: Vec<&str> = path.iter().skip(from).copied().collect();
                    way.push(&next.id);
                    cycles.push((pack.id.clone(), way.join(" → "), reference.at));
                }
                None => visit(set, next, path, seen, cycles),
            }
        }
        path.pop();
        seen.insert(&pack.id, Seen::Done);
    }
    let mut seen = HashMap::new();
    let mut cycles = Vec::new();
    for pack in set.packs() {
        if !seen.contains_key(pack.id.as_str()) {
            visit(set, pack, &mut Vec::new(), &mut seen, &mut cycles);
        }
    }
    cycles
}

fn check_ids(pack: &ManagementPack, problems: &mut Problems) {
    const FORM: &str = "an ID starts with a letter or digit and has only letters, digits, '.' and '_', at most 255";
    if !is_valid_id(&pack.id) {
        problems.error(pack.at, &pack.id, format!("'{}' is no ID for a pack: {FORM}", pack.id));
    }
    let mut seen: HashMap<&str, At> = HashMap::new();
    for (kind, id, at) in pack.elements() {
        if id.is_empty() {
            continue;
        }
        if !is_valid_id(id) {
            problems.error(at, id, format!("'{id}' is no ID: {FORM}"));
        }
        if let Some(first) = seen.insert(id, at) {
            let line = first.0.line;
            problems.error(
                at,
                id,
                format!("this {} has the ID of the element on line {line}; IDs are unique in a pack", kind.word()),
            );
        }
    }
}
