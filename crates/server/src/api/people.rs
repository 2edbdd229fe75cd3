//! Users for people whom somebody else knows: a company's provider or directory.

use std::collections::BTreeMap;

use watchkeeper_state::{NewUser, User};

use super::App;
use super::errors::ApiError;
use crate::identity::providers::Person;

/// Who says who a person is, and what follows from it here.
pub struct Source<'a> {
    pub name: &'a str,
    /// Whether a person who comes for the first time becomes a user.
    pub create_users: bool,
    /// What it calls a group, and the group here.
    pub groups: &'a BTreeMap<String, String>,
}

/// The user of a person: the one who came this way before, or a new one. Or why there is none.
pub async fn user_of(app: &App, source: &Source<'_>, person: &Person) -> Result<Result<User, String>, ApiError> {
    let name = &person.name;
    let user = match app.state.user_of_provider(source.name, &person.subject).await? {
        Some(user) if user.is_disabled() => {
            return Ok(Err(format!("The user {} is disabled here. An administrator can enable it.", user.name)));
        }
        Some(user) => user,
        None if !source.create_users => {
            return Ok(Err(format!("There is no user for {name} here, and {} makes none.", source.name)));
        }
        // a name that somebody else has here is not taken over: whoever has it may be another person
        None if app.state.user_by_name(name).await?.is_some() => {
            return Ok(Err(format!(
                "There is a user {name} here already who signs in another way. An administrator can rename one of them."
            )));
        }
        None => {
            let new = NewUser {
                name,
                display_name: &person.display_name,
                mail: &person.mail,
                provider: source.name,
                provider_subject: &person.subject,
            };
            app.state.add_user(new, None).await?
        }
    };
    set_groups(app, &user, source, &person.groups).await?;
    Ok(Ok(user))
}

/// Puts a user into the groups that the configuration names for what the source says.
async fn set_groups(app: &App, user: &User, source: &Source<'_>, said: &[String]) -> Result<(), ApiError> {
    let mut ids = Vec::new();
    for (value, group) in source.groups {
        if !said.iter().any(|one| one.eq_ignore_ascii_case(value)) {
            continue;
        }
        match app.state.directory_group(group).await? {
            Some(group) => ids.push(group.id),
            None => tracing::warn!(source = source.name, group, "a group of the configuration does not exist"),
        }
    }
    Ok(app.state.set_groups_of_provider(&user.id, source.name, &ids).await?)
}
