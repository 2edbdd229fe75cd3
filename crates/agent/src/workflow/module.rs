//! What a module is: a data source, a step (probe or condition) or a write action.

use std::sync::Arc;

use uuid::Uuid;
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::item::DataItem;
use watchkeeper_model::node::Node;

use super::accounts::Accounts;
use super::job::{Job, Limits};
use super::outbox::Outbox;
use super::platform::Platform;
use crate::collect::Origin;
use crate::queue::Positions;
use crate::system::Microseconds;

/// An item on its way; modules that share a source share its items.
pub type Item = Arc<DataItem>;

/// Microseconds in a second.
pub const SECOND: Microseconds = 1_000_000;

/// A run of a module failed; the module is reported, rested and tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Failure {
    /// For a person at 3 a.m.
    pub reason: String,
    /// It ran longer than it may.
    pub timed_out: bool,
}

impl Failure {
    /// From a reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), timed_out: false }
    }

    /// It took longer than it may.
    pub fn timed_out(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), timed_out: true }
    }
}

/// Which workflow a write action belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// `Pack.Id!Element.Id`.
    pub element: String,
    /// Its identity.
    pub element_id: ElementId,
    /// What it watches.
    pub object: ObjectId,
}

/// What a module is made from.
pub struct Setup<'a> {
    /// The element `Configuration`.
    pub configuration: &'a Node,
    /// For write actions; a shared module has nothing to do with one workflow alone.
    pub owner: &'a Owner,
    /// The same for the same module whenever it is made: spreads start times.
    pub seed: Uuid,
    /// How long its jobs may take and what they may give.
    pub limits: Limits,
    /// The Run As account of the module or its type, or the profile where no account is associated with it.
    pub run_as: Option<&'a str>,
    /// The accounts of this agent.
    pub accounts: &'a Accounts,
    /// Where the workflow may keep files from one run to the next; not made yet.
    pub files: Option<std::path::PathBuf>,
}

impl Setup<'_> {
    /// Whom the module's program runs as; `None`: as the agent itself.
    ///
    /// # Errors
    /// When the account is not given to this agent, or the agent cannot become its user.
    pub fn user(&self) -> Result<Option<String>, String> {
        let user = self.accounts.user(self.run_as)?;
        if let Some(name) = &user {
            super::users::may_become(name)?;
        }
        Ok(user)
    }

    /// A parameter that has to be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn required(&self, name: &str) -> Result<&str, String> {
        self.configuration.value(name).ok_or_else(|| format!("the parameter {name} is missing"))
    }

    /// A number.
    ///
    /// # Errors
    /// When it is there and is not a number.
    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, String> {
        number(self.configuration, name)
    }

    /// A number that has to be there.
    ///
    /// # Errors
    /// When it is missing or not a number.
    pub fn required_number<T: std::str::FromStr>(&self, name: &str) -> Result<T, String> {
        self.number(name)?.ok_or_else(|| format!("the parameter {name} is missing"))
    }

    /// A truth value.
    ///
    /// # Errors
    /// When it is there and is not one.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, String> {
        match self.configuration.value(name) {
            None => Ok(None),
            Some(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "1" => Ok(Some(true)),
                "false" | "0" => Ok(Some(false)),
                _ => Err(format!("the parameter {name} is {text:?}; true or false are allowed")),
            },
        }
    }
}

/// The number that a child of an element holds.
///
/// # Errors
/// When it is there and is not a number.
pub fn number<T: std::str::FromStr>(node: &Node, name: &str) -> Result<Option<T>, String> {
    match node.value(name) {
        None => Ok(None),
        Some(text) => {
            text.parse().map(Some).map_err(|_| format!("the parameter {name} is {text:?}, which is not such a number"))
        }
    }
}

/// What a module has at hand while it runs, and where it leaves what comes of it.
pub struct Context<'a> {
    /// The time.
    pub now: Microseconds,
    /// The operating system.
    pub platform: &'a mut dyn Platform,
    /// The secrets of `$RunAs…$`.
    pub accounts: &'a Accounts,
    /// This computer.
    pub origin: &'a Origin,
    /// Where reading stands, by key.
    pub positions: &'a Positions,
    /// What goes to the server.
    pub outbox: &'a mut Outbox,
    left: Left,
}

/// What a module left behind in one call.
#[derive(Default)]
pub struct Left {
    /// Items, each list together.
    pub emitted: Vec<Vec<Item>>,
    /// What it began.
    pub jobs: Vec<Job>,
    /// When it wants to be woken, where it said something about it.
    pub wake: Option<Option<Microseconds>>,
}

impl<'a> Context<'a> {
    /// For one call of a module.
    pub fn new(
        now: Microseconds,
        platform: &'a mut dyn Platform,
        accounts: &'a Accounts,
        origin: &'a Origin,
        positions: &'a Positions,
        outbox: &'a mut Outbox,
    ) -> Self {
        Self { now, platform, accounts, origin, positions, outbox, left: Left::default() }
    }

    /// After the call.
    #[must_use]
    pub fn finish(self) -> Left {
        self.left
    }

    /// Gives one item to the modules that come after.
    pub fn emit(&mut self, item: impl Into<Item>) {
        self.left.emitted.push(vec![item.into()]);
    }

    /// Gives the items of one run together.
    pub fn emit_all(&mut self, items: Vec<Item>) {
        if !items.is_empty() {
            self.left.emitted.push(items);
        }
    }

    /// Asks to be woken at a time, in place of the time that was asked for before.
    pub fn wake_at(&mut self, time: Microseconds) {
        self.left.wake = Some(Some(time));
    }

    /// Asks not to be woken.
    pub fn no_wake(&mut self) {
        self.left.wake = Some(None);
    }

    /// Begins something that takes time; its items are emitted when it is done. One job of a module runs at a time.
    pub fn begin(&mut self, job: Job) {
        self.left.jobs.push(job);
    }
}

/// A module at work. Several workflows may stand behind one.
pub trait Module: Send {
    /// Called once after it was made or its saved state was put back.
    ///
    /// # Errors
    /// As [`Module::take`].
    fn start(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        let _ = context;
        Ok(())
    }

    /// The items of one run of an input, given by its place among the inputs.
    ///
    /// # Errors
    /// When the run failed; the module is reported, and rested if it goes on failing.
    fn take(&mut self, input: usize, items: &[Item], context: &mut Context<'_>) -> Result<(), Failure> {
        let _ = (input, items, context);
        Ok(())
    }

    /// The time that it asked for has come.
    ///
    /// # Errors
    /// As [`Module::take`].
    fn wake(&mut self, context: &mut Context<'_>) -> Result<(), Failure> {
        let _ = context;
        Ok(())
    }

    /// What has to survive a restart of the agent.
    fn save(&self) -> Option<serde_json::Value> {
        None
    }

    /// Takes back what [`Module::save`] gave; what cannot be understood is left.
    fn restore(&mut self, saved: &serde_json::Value) {
        let _ = saved;
    }
}
