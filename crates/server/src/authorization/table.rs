//! The table of all routes: what each takes, and which built-in roles have it. The repository keeps it as
//! `tests/authorization/routes.csv`.

use std::fmt::Write;

use watchkeeper_authorization::{Action, Level, built_in_roles};

use super::{Listed, Need};

/// One line a method of a path, sorted. A path whose need depends on the resource type has a line for each type.
pub fn route_table(listed: &[Listed]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for Listed { path, method, need } in listed {
        match need {
            Need::Public(reason) => lines.push(line(path, method.as_str(), "public", "", reason)),
            Need::Person(reason) => lines.push(line(path, method.as_str(), "a person", "", reason)),
            Need::SignedIn(reason) => lines.push(line(path, method.as_str(), "signed in", "", reason)),
            Need::Action(action) => lines.push(of_action(path, method.as_str(), *action)),
            Need::Sender(action) => lines.push(of_action(path, method.as_str(), *action)),
            Need::ByKind(kinds) => lines.extend(
                kinds.iter().map(|(kind, action)| of_action(&path.replace("{kind}", kind), method.as_str(), *action)),
            ),
        }
    }
    lines.push(line("{any other path}", "GET", "public", "", "the console's files"));
    lines.sort();
    let mut table = String::from("path,method,needs,at,who\n");
    for line in lines {
        let _ = writeln!(table, "{line}");
    }
    table
}

fn of_action(path: &str, method: &str, action: Action) -> String {
    let at = match action.level() {
        Level::Tenant => "tenant",
        Level::Workspace => "workspace",
        Level::Tables => "workspace or table",
        Level::ManagementGroup => "management group",
        Level::Groups => "management group or group",
        Level::Anywhere => "the scope that is named",
    };
    let roles: Vec<&str> =
        built_in_roles().iter().filter(|role| role.allows(action)).map(|role| role.name.as_str()).collect();
    line(path, method, action.name(), at, &roles.join("; "))
}

fn line(path: &str, method: &str, needs: &str, at: &str, who: &str) -> String {
    let cell = |text: &str| match text.contains([',', '"']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    };
    [path, method, needs, at, who].map(cell).join(",")
}
