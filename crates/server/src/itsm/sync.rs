//! One synchronization: first all work items of the past days with their progress, then those that changed. Each page
//! is one transaction of the operational store — rows for the workspace, versions of the items, how far it is — so
//! that a row comes once however often it begins again.

use std::collections::HashSet;

use watchkeeper_itsm::{After, Page, Part, Position, Problem, ServiceDesk, WorkItemKind};
use watchkeeper_management::clock;
use watchkeeper_state::{ItsmItem, ItsmOutcome, ItsmPosition};

use super::journal::{Entry, Journal};
use super::rows::{Rows, stored};
use super::{Connection, DeskError, ServiceDesks, Use, problem_json};

const SECOND: i64 = 1_000_000;
pub(super) const DAY: i64 = 86_400 * SECOND;
/// Work items of one page.
const PAGE: u32 = 500;
/// Products write a time of change before others can see it: so far back is read again.
const OVERLAP: i64 = 5 * 60 * SECOND;
/// More items than this that vanished at once, and more than half of all, are rather a right that was taken away.
const FEW_GONE: usize = 20;
/// Items are remembered longer than they are read: a clock may go back.
const REMEMBERED_DAYS: i64 = 7;
/// Work items of alerts that are over are remembered so long: an alert that fires again finds its own.
const TICKETS_DAYS: i64 = 180;

impl ServiceDesks {
    /// Reads configuration and work items of a connection and notes how it went.
    pub(super) async fn synchronize(&self, connection: &Connection) -> Result<(), DeskError> {
        let began = clock::now();
        if self.is_thorough(connection, began) {
            self.forget(connection, Use::Synchronization);
        }
        let desk = match self.product(connection, Use::Synchronization).await {
            Ok(desk) => desk,
            Err(DeskError::Problem(problem)) => return self.finish(connection, None, began, Some(problem)).await,
            Err(error) => return Err(error),
        };
        let problem = match self.read_all(connection, desk.as_ref(), began).await {
            Ok(()) => None,
            Err(DeskError::Problem(problem)) => {
                if !problem.is_transient() {
                    self.forget(connection, Use::Synchronization);
                }
                Some(problem)
            }
            Err(error) => return Err(error),
        };
        self.finish(connection, Some(desk.as_ref()), began, problem).await
    }

    /// Whether configuration is read and removed items are looked for: once a day, and where somebody asks for it.
    fn is_thorough(&self, connection: &Connection, began: i64) -> bool {
        let stored = &connection.stored;
        let refresh = i64::try_from(self.options.refresh_seconds).unwrap_or(i64::MAX / SECOND).saturating_mul(SECOND);
        stored.sync_requested > 0 || stored.configuration_at.saturating_add(refresh) <= began
    }

    async fn read_all(&self, connection: &Connection, desk: &dyn ServiceDesk, began: i64) -> Result<(), DeskError> {
        let stored = &connection.stored;
        let thorough = self.is_thorough(connection, began);
        if thorough {
            self.read_configuration(connection, desk).await?;
        }
        for kind in connection.settings.work_items.iter().copied() {
            self.read_items(connection, desk, kind, began).await?;
            if thorough {
                self.look_for_gone(connection, desk, kind, began).await?;
            }
        }
        self.match_again(connection, desk, began).await?;
        let oldest = began - (i64::from(connection.settings.days) + REMEMBERED_DAYS) * DAY;
        self.state.forget_itsm_items(&stored.connection_id, oldest).await?;
        Ok(self.state.forget_itsm_tickets(&stored.connection_id, began - TICKETS_DAYS * DAY).await?)
    }

    async fn read_configuration(&self, connection: &Connection, desk: &dyn ServiceDesk) -> Result<(), DeskError> {
        let configuration = desk.configuration().await?;
        let now = clock::now();
        let mut journal = Journal::new(&connection.stored.name, now);
        journal.exchanges(desk.exchanges(), false);
        journal.note(Entry::done(
            "Configuration",
            format!(
                "{} templates, {} fields, {} users, {} groups",
                configuration.templates.len(),
                configuration.fields.len(),
                configuration.users.len(),
                configuration.groups.len()
            ),
        ));
        let text = serde_json::to_string(&configuration).unwrap_or_default();
        let mut changes = self.state.change().await?;
        changes.put_itsm_configuration(&connection.stored.connection_id, &text, now).await?;
        self.outbox.leave_tables(&mut changes, journal.finish().into_iter().collect(), now).await?;
        changes.commit().await?;
        self.deliver().await
    }

    /// Reads the items of a kind that are new or changed, page by page.
    async fn read_items(
        &self,
        connection: &Connection,
        desk: &dyn ServiceDesk,
        kind: WorkItemKind,
        began: i64,
    ) -> Result<(), DeskError> {
        let id = &connection.stored.connection_id;
        let known = self.state.itsm_positions(Some(id)).await?.into_iter().find(|known| known.kind == kind.name());
        let first = began - i64::from(connection.settings.days) * DAY;
        let mut position = known.unwrap_or_else(|| ItsmPosition {
            connection_id: id.clone(),
            kind: kind.name().to_owned(),
            is_full: true,
            ..ItsmPosition::default()
        });
        let mut after = match (position.is_full, position.step) {
            (true, 0) => After::Time(first),
            (true, _) => After::Item(place(&position)),
            // a time in the future is a wrong clock: what changes now must not be behind it
            (false, _) => After::Time((position.changed_at.min(began) - OVERLAP).max(first)),
        };
        let mut page = desk.changed(kind, &after, PAGE).await?;
        loop {
            if position.is_full && position.done == 0 {
                position.total = page.total.and_then(|total| i64::try_from(total).ok()).unwrap_or_default();
            }
            let Some(last) = end_of(&page, kind, &after)? else {
                if position.is_full {
                    position.is_full = false;
                    self.take_page(connection, desk, kind, &mut position, &page).await?;
                }
                break;
            };
            if position.is_full {
                position.done += i64::try_from(page.items.len()).unwrap_or_default();
                position.is_full = page.more;
            }
            // it only goes on, also where older items were read again
            if (last.changed_at, &last.key) > (position.changed_at, &position.item_key) {
                (position.changed_at, position.item_key) = (last.changed_at, last.key.clone());
            }
            if !page.more {
                self.take_page(connection, desk, kind, &mut position, &page).await?;
                break;
            }
            after = After::Item(last);
            // the product makes the next page while this one is written
            let taking = self.take_page(connection, desk, kind, &mut position, &page);
            let (taken, next) = tokio::join!(taking, desk.changed(kind, &after, PAGE));
            taken?;
            page = next?;
        }
        Ok(())
    }

    /// Writes what is new of a page, and how far it is, at once.
    pub(super) async fn take_page(
        &self,
        connection: &Connection,
        desk: &dyn ServiceDesk,
        kind: WorkItemKind,
        position: &mut ItsmPosition,
        page: &Page,
    ) -> Result<(), DeskError> {
        let (id, name) = (&connection.stored.connection_id, &connection.stored.name);
        let now = clock::now();
        let computers = self.computers_of(&page.items);
        let keys: Vec<String> = page.items.iter().map(|item| item.key.clone()).collect();
        let mut changes = self.state.change().await?;
        let known = changes.itsm_items(id, kind.name(), &keys).await?;
        let mut rows = Rows::new(name, kind, now);
        let (mut versions, mut written) = (Vec::new(), 0);
        for (item, computer) in page.items.iter().zip(computers) {
            let before = known.get(&item.key);
            let next = stored(item, computer);
            if before == Some(&next) {
                continue;
            }
            // what the workspace has is out of date; else it is only remembered better
            if before.is_none_or(|before| before.is_gone || !before.has_row_of(&next)) {
                rows.item(item, &next.computer);
                written += 1;
            }
            versions.push(next);
        }
        let mut journal = Journal::new(name, now);
        journal.exchanges(desk.exchanges(), false);
        if written > 0 {
            let message = format!("{written} new or changed");
            journal.note(Entry::done("Import", message).of_kind(kind.name()).counting(written));
        }
        if !changes.move_itsm_position(position, connection.stored.revision).await? {
            return Err(DeskError::Moved);
        }
        changes.put_itsm_items(id, kind.name(), &versions).await?;
        let tables = rows.finish().into_iter().chain(journal.finish()).collect();
        self.outbox.leave_tables(&mut changes, tables, now).await?;
        changes.commit().await?;
        position.step += 1;
        // the next page comes when the workspace has this one: a slow disk slows the reading down
        self.deliver().await
    }

    /// Looks which known items the product does not have any more.
    async fn look_for_gone(
        &self,
        connection: &Connection,
        desk: &dyn ServiceDesk,
        kind: WorkItemKind,
        began: i64,
    ) -> Result<(), DeskError> {
        let (id, name) = (&connection.stored.connection_id, &connection.stored.name);
        let since = began - i64::from(connection.settings.days) * DAY;
        // an item that is made meanwhile is not among the known, one that is changed is found all the same
        let known = self.state.itsm_items_since(id, kind.name(), since).await?;
        if known.is_empty() {
            return Ok(());
        }
        let present: HashSet<String> = desk.keys(kind, since).await?.into_iter().collect();
        let gone: Vec<ItsmItem> = known
            .iter()
            .filter(|item| !present.contains(&item.item_key))
            .map(|item| ItsmItem { is_gone: true, is_open: false, ..item.clone() })
            .collect();
        if gone.is_empty() {
            return Ok(());
        }
        if gone.len() > FEW_GONE && gone.len() * 2 > known.len() {
            let message = format!("{} of {} {} are not visible any more", gone.len(), known.len(), kind.name());
            let advice = "look whether the user has lost a role; if they were really removed, edit the connection and \
                          save it to have all of them read again";
            return Err(Problem::new(Part::Role, message, advice).into());
        }
        let now = clock::now();
        let mut rows = Rows::new(name, kind, now);
        gone.iter().for_each(|item| rows.gone(item));
        let mut journal = Journal::new(name, now);
        journal.exchanges(desk.exchanges(), false);
        journal
            .note(Entry::done("Import", format!("{} removed", gone.len())).of_kind(kind.name()).counting(gone.len()));
        let mut changes = self.state.change().await?;
        let position = self.state.itsm_positions(Some(id)).await?.into_iter().find(|known| known.kind == kind.name());
        // whoever has the connection now looks itself
        match position {
            Some(position) if changes.move_itsm_position(&position, connection.stored.revision).await? => {}
            _ => return Err(DeskError::Moved),
        }
        changes.put_itsm_items(id, kind.name(), &gone).await?;
        self.outbox
            .leave_tables(&mut changes, rows.finish().into_iter().chain(journal.finish()).collect(), now)
            .await?;
        changes.commit().await?;
        self.deliver().await
    }

    /// Ends the rows under the old name of a connection that has another one now: its items come again under that.
    pub async fn renamed(&self, connection_id: &str, old_name: &str) -> Result<(), DeskError> {
        let now = clock::now();
        let mut tables = Vec::new();
        for kind in WorkItemKind::ALL {
            let mut rows = Rows::new(old_name, kind, now);
            let items = self.state.itsm_items_since(connection_id, kind.name(), 0).await?;
            items.iter().for_each(|item| rows.gone(item));
            tables.extend(rows.finish());
        }
        let mut changes = self.state.change().await?;
        self.outbox.leave_tables(&mut changes, tables, now).await?;
        changes.commit().await?;
        self.deliver().await
    }

    async fn finish(
        &self,
        connection: &Connection,
        desk: Option<&dyn ServiceDesk>,
        began: i64,
        problem: Option<Problem>,
    ) -> Result<(), DeskError> {
        let stored = &connection.stored;
        let now = clock::now();
        let failures = if problem.is_some() { stored.failures + 1 } else { 0 };
        let mut journal = Journal::new(&stored.name, now);
        if let Some(desk) = desk {
            journal.exchanges(desk.exchanges(), problem.is_some());
        }
        if let Some(problem) = &problem {
            tracing::warn!(connection = stored.name, %problem, "a service desk cannot be synchronized");
            journal.note(Entry::failed("Synchronization", problem));
        } else if stored.failures > 0 || stored.sync_requested > 0 {
            journal.note(Entry::done("Synchronization", "the work items are up to date"));
        }
        let outcome = ItsmOutcome {
            revision: stored.revision,
            at: now,
            next_sync_at: self.next_sync(now, failures),
            problem: problem.map(|problem| problem_json(&problem).to_string()).unwrap_or_default(),
        };
        let mut changes = self.state.change().await?;
        changes.put_itsm_outcome(&stored.connection_id, began, &outcome).await?;
        self.outbox.leave_tables(&mut changes, journal.finish().into_iter().collect(), now).await?;
        changes.commit().await?;
        self.deliver().await
    }
}

/// The last place of a page that was read behind another; none where it is empty.
///
/// # Errors
/// Where the product does not keep its order: reading would not come to an end.
pub(super) fn end_of(page: &Page, kind: WorkItemKind, after: &After) -> Result<Option<Position>, Problem> {
    let Some(last) = page.items.last() else { return Ok(None) };
    if !after.takes(last.changed_at, &last.key) {
        let message = format!("{} {} does not come after what was read before", kind.name(), last.key);
        let advice = "the product does not keep the order that it was asked for; look at its scripts";
        return Err(Problem::new(Part::Product, message, advice));
    }
    Ok(Some(Position { changed_at: last.changed_at, key: last.key.clone() }))
}

fn place(position: &ItsmPosition) -> Position {
    Position { changed_at: position.changed_at, key: position.item_key.clone() }
}
