//! Programs that run as another user than the agent: who that is on this computer, and whether the agent may become it.

use std::fs;

use rustix::process::geteuid;
use tokio::process::Command;

/// A user of this computer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct User {
    id: u32,
    group: u32,
    home: String,
}

/// Says now whether a program could run as this user, so that a workflow that cannot is not loaded.
///
/// # Errors
/// With the reason for the administrator.
pub fn may_become(name: &str) -> Result<(), String> {
    if geteuid().is_root() {
        return Ok(());
    }
    let own = geteuid().as_raw();
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    if find(&passwd, name).is_some_and(|user| user.id == own) {
        return Ok(());
    }
    Err(format!(
        "it is to run as the user {name:?}, and the agent, which does not run as root (user id {own}), cannot become \
         another user; run the agent as root, or give the Run As profile an account of kind Basic"
    ))
}

/// Has a program run as a user, with that user's group and no others.
///
/// # Errors
/// When there is no such user, or the agent may not become it.
pub async fn run_as(command: &mut Command, name: &str) -> Result<(), String> {
    may_become(name)?;
    let user = user(name).await.ok_or_else(|| format!("there is no user {name:?} on this computer to run it as"))?;
    command.env("USER", name).env("LOGNAME", name).env("HOME", &user.home);
    if user.id != geteuid().as_raw() {
        // for root, setting the user also drops the supplementary groups
        command.uid(user.id).gid(user.group);
    }
    Ok(())
}

async fn user(name: &str) -> Option<User> {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    if let Some(user) = find(&passwd, name) {
        return Some(user);
    }
    // users of a directory service
    let output = Command::new("getent").args(["passwd", "--", name]).kill_on_drop(true).output().await.ok()?;
    find(&String::from_utf8_lossy(&output.stdout), name)
}

/// A user of a text in the form of passwd(5).
fn find(passwd: &str, name: &str) -> Option<User> {
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        match fields.as_slice() {
            [known, _, id, group, _, home, ..] if *known == name => {
                Some(User { id: id.parse().ok()?, group: group.parse().ok()?, home: (*home).to_owned() })
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::exec::{Execution, execute};

    #[test]
    fn a_user_is_found_by_the_whole_name_only() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nwk:x:12:34::/var/wk:/bin/false\nbroken:x\n";
        assert_eq!(find(passwd, "wk"), Some(User { id: 12, group: 34, home: "/var/wk".to_owned() }));
        assert_eq!(find(passwd, "w"), None);
        assert_eq!(find(passwd, "broken"), None);
    }

    #[tokio::test]
    async fn a_program_runs_as_the_user_where_the_agent_is_root_and_is_refused_otherwise() {
        let execution = |user: &str| Execution {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), "id -u; id -G; echo $USER".into()],
            folder: None,
            environment: Vec::new(),
            user: Some(user.to_owned()),
            output_limit: 1024,
        };
        let outcome = execute(execution("nobody")).await;
        if geteuid().is_root() {
            let nobody = user("nobody").await.expect("every system has it");
            let expected = format!("{}\n{}\nnobody\n", nobody.id, nobody.group);
            assert_eq!(outcome.expect("root may").stdout, expected);
            let unknown = execute(execution("no-such-user-here")).await.unwrap_err();
            assert!(unknown.reason.contains("no user \"no-such-user-here\""), "{unknown}");
        } else {
            let refused = outcome.unwrap_err();
            assert!(refused.reason.contains("does not run as root"), "{refused}");
        }
    }
}
