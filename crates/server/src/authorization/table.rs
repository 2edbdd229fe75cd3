//! The table of all routes: what each takes, and which built-in roles have it. The repository keeps it as
//! `tests/authorization/routes.csv`.

use std::fmt::Write;

use watchkeeper_authorization::{Action, Level, RoleDefinition, built_in_roles};

use super::{Cut, Listed, Need};
use crate::audit::Kept;

/// One line a method of a path, sorted. A path whose need depends on the resource type has a line for each type.
pub fn route_table(listed: &[Listed]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for Listed { path, method, need } in listed {
        let audit = match need.kept(method) {
            Kept::Nothing => "",
            Kept::Refusals => "refusals",
            Kept::All => "all",
            Kept::SignIns => "sign-ins",
        };
        let method = method.as_str();
        match need {
            Need::Public(reason) | Need::SignIn(reason) => {
                lines.push(line([path, method, "public", "", "", audit, reason]))
            }
            Need::Person(reason) => lines.push(line([path, method, "a person", "", "", audit, reason])),
            Need::SignedIn(reason) => lines.push(line([path, method, "signed in", "", "", audit, reason])),
            Need::Action(action) | Need::Sender(action) => lines.push(of_action(path, method, *action, "", audit)),
            Need::InGroups(action, cut) => lines.push(of_action(path, method, *action, words(*cut), audit)),
            Need::OrInGroups(action, seen_by, cut) => {
                let at = match action.level() {
                    Level::Workspace => "workspace, management group or group",
                    _ => "management group or group",
                };
                let cut = format!("{} ({seen_by})", words(*cut));
                let who = who(|role| role.allows(*action) || role.allows(*seen_by));
                lines.push(line([path, method, action.name(), at, &cut, audit, &who]));
            }
            Need::ByKind(kinds) => lines.extend(kinds.iter().map(|(kind, action)| {
                let cut = match (action.level(), path.ends_with("{kind}")) {
                    (Level::Groups, true) => words(Cut::List),
                    (Level::Groups, false) => words(Cut::Objects),
                    _ => "",
                };
                of_action(&path.replace("{kind}", kind), method, *action, cut, audit)
            })),
        }
    }
    lines.push(line(["{any other path}", "GET", "public", "", "", "", "the console's files"]));
    lines.sort();
    let mut table = String::from("path,method,needs,at,groups,audit,who\n");
    for line in lines {
        let _ = writeln!(table, "{line}");
    }
    table
}

fn of_action(path: &str, method: &str, action: Action, groups: &str, audit: &str) -> String {
    let at = match action.level() {
        Level::Tenant => "tenant",
        Level::Workspace => "workspace",
        Level::Tables => "workspace or table",
        Level::Groups if !groups.is_empty() => "management group or group",
        Level::ManagementGroup | Level::Groups => "management group",
        Level::Anywhere => "the scope that is named",
    };
    line([path, method, action.name(), at, groups, audit, &who(|role| role.allows(action))])
}

/// The built-in roles for which that is so.
fn who(is_let_in: impl Fn(&RoleDefinition) -> bool) -> String {
    let roles = built_in_roles().iter().filter(|role| is_let_in(role));
    roles.map(|role| role.name.as_str()).collect::<Vec<_>>().join("; ")
}

fn words(cut: Cut) -> &'static str {
    match cut {
        Cut::List => "the list is cut",
        Cut::Objects => "objects of the groups",
        Cut::Same => "the same for all",
    }
}

/// Path, method, needs, at, groups, audit, who.
fn line(cells: [&str; 7]) -> String {
    let cell = |text: &str| match text.contains([',', '"']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    };
    cells.map(cell).join(",")
}
