//! One work item for one alert, or for each of its configuration items: made, told that it fired again, resolved,
//! reopened. What is asked of the product is written down before; a work item that may have been made is looked for by
//! its correlation id before it is asked for again.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use watchkeeper_itsm::{ActionKind, Change, NewWorkItem, Outcome, Part, Problem, ServiceDesk, Target, Ticket};
use watchkeeper_management::clock;
use watchkeeper_state::ItsmTicket;

use super::journal::{Entry, Journal};
use super::{Connection, DeskError, ServiceDesks, Use};

/// More configuration items than this become one work item.
const MOST_ITEMS: usize = 50;
/// What products take as a title.
const TITLE_CHARS: usize = 160;

/// What an action makes of an alert: the settings of an action group's ITSM action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ActionSettings {
    /// `Incident`, `Event` or `Alert`.
    pub work_item_type: String,
    /// A template of the product.
    pub template: String,
    /// Fields of the product with constant values.
    pub fields: BTreeMap<String, String>,
    /// One work item for each affected configuration item in the place of one for the alert.
    pub per_configuration_item: bool,
    /// What happens to the work item when the alert is resolved: `resolve`, `close` or `note`.
    pub on_resolved: String,
    /// A work item that was resolved is opened again when its alert fires again.
    pub reopen: bool,
}

impl Default for ActionSettings {
    fn default() -> Self {
        Self {
            work_item_type: ActionKind::Incident.name().to_owned(),
            template: String::new(),
            fields: BTreeMap::new(),
            per_configuration_item: false,
            on_resolved: "resolve".to_owned(),
            reopen: true,
        }
    }
}

impl ActionSettings {
    /// What of them a product can do.
    ///
    /// # Errors
    /// Names what it cannot.
    pub fn kind(&self, connection: &Connection) -> Result<ActionKind, Problem> {
        let known = connection.partner.actions();
        let kind = ActionKind::of(&self.work_item_type).filter(|kind| known.contains(kind));
        let refuse = |message: String, advice: String| Err(Problem::new(Part::WorkItem, message, advice));
        let Some(kind) = kind else {
            let names: Vec<_> = known.iter().map(|kind| kind.name()).collect();
            let title = connection.partner.title();
            return refuse(
                format!("{title} makes no work items of the type {:?}", self.work_item_type),
                format!("choose {}", names.join(", ")),
            );
        };
        if !matches!(self.on_resolved.as_str(), "resolve" | "close" | "note") {
            return refuse(format!("onResolved is {:?}", self.on_resolved), "write resolve, close or note".to_owned());
        }
        Ok(kind)
    }

    fn end(&self) -> Outcome {
        match self.on_resolved.as_str() {
            "close" => Outcome::Close,
            "note" => Outcome::Note,
            _ => Outcome::Resolve,
        }
    }
}

/// What has happened to an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertEvent {
    Fired,
    Resolved,
    Closed,
}

/// An alert, as far as a work item tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertNotice {
    pub event: AlertEvent,
    /// The same for every try of one delivery.
    pub delivery_id: String,
    pub alert_id: String,
    pub title: String,
    /// The alert's data in lines.
    pub description: String,
    /// 0 critical to 4 verbose.
    pub severity: u8,
    pub configuration_items: Vec<String>,
}

/// A work item that belongs to an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TicketLink {
    pub connection: String,
    pub kind: &'static str,
    pub id: String,
    pub number: String,
    pub link: String,
    pub open: bool,
}

/// One work item of an alert, before it is known whether there is one.
struct Piece<'a> {
    connection: &'a Connection,
    kind: ActionKind,
    settings: &'a ActionSettings,
    notice: &'a AlertNotice,
    correlation_id: String,
    configuration_item: String,
}

impl ServiceDesks {
    /// A connection by name or identity.
    pub async fn connection(&self, name: &str) -> Result<Option<Connection>, DeskError> {
        let all = self.state.itsm_connections().await?;
        let found = all.into_iter().find(|one| one.connection_id == name || one.name.eq_ignore_ascii_case(name));
        Ok(found.map(Connection::read).transpose()?)
    }

    /// Carries out what an action wants of an event of an alert; gives the work items. Said again with the same
    /// delivery, it changes nothing that is done.
    ///
    /// # Errors
    /// What is wrong; one that [`Problem::is_transient`] is to be tried again later.
    pub async fn carry_out(
        &self,
        connection: &Connection,
        settings: &ActionSettings,
        notice: &AlertNotice,
    ) -> Result<Vec<TicketLink>, DeskError> {
        let kind = settings.kind(connection)?;
        let desk = self.product(connection, Use::Tickets).await?;
        let mut links = Vec::new();
        for (configuration_item, suffix) in parts(settings, notice) {
            let correlation_id = format!("{}{suffix}", notice.alert_id);
            let piece = Piece { connection, kind, settings, notice, correlation_id, configuration_item };
            let done = self.carry_out_one(desk.as_ref(), &piece).await;
            let mut journal = Journal::new(&connection.stored.name, clock::now());
            journal.exchanges(desk.exchanges(), done.is_err());
            let operation = match notice.event {
                AlertEvent::Fired => "Create or update work item",
                AlertEvent::Resolved | AlertEvent::Closed => "Resolve work item",
            };
            match &done {
                Ok(Some(ticket)) => {
                    let entry = Entry::done(operation, format!("{:?}: {}", notice.event, notice.title));
                    journal.note(entry.of_kind(kind.name()).about(&ticket.number, &piece.correlation_id));
                }
                Ok(None) => {}
                Err(DeskError::Problem(problem)) => {
                    if !problem.is_transient() {
                        self.forget(connection, Use::Tickets);
                    }
                    let entry = Entry::failed(operation, problem);
                    journal.note(entry.of_kind(kind.name()).about("", &piece.correlation_id));
                }
                Err(_) => {}
            }
            self.write(journal).await?;
            if let Some(ticket) = done? {
                links.push(TicketLink {
                    connection: connection.stored.name.clone(),
                    kind: kind.name(),
                    id: ticket.ticket_key,
                    number: ticket.number,
                    link: ticket.link,
                    open: ticket.is_open,
                });
            }
        }
        Ok(links)
    }

    async fn carry_out_one(&self, desk: &dyn ServiceDesk, piece: &Piece<'_>) -> Result<Option<ItsmTicket>, DeskError> {
        let id = &piece.connection.stored.connection_id;
        let mut hasher = DefaultHasher::new();
        (id, &piece.correlation_id).hash(&mut hasher);
        let place = usize::try_from(hasher.finish() % self.turns.len().max(1) as u64).unwrap_or(0);
        let _turn = match self.turns.get(place) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        let known = self.state.itsm_ticket(id, &piece.correlation_id).await?;
        match piece.notice.event {
            AlertEvent::Fired => self.fired(desk, piece, known).await.map(Some),
            AlertEvent::Resolved | AlertEvent::Closed => self.ended(desk, piece, known).await,
        }
    }

    async fn fired(
        &self,
        desk: &dyn ServiceDesk,
        piece: &Piece<'_>,
        known: Option<ItsmTicket>,
    ) -> Result<ItsmTicket, DeskError> {
        let Some(known) = known else { return self.make(desk, piece).await };
        if known.ticket_key.is_empty() {
            return match self.look(desk, piece, &known).await? {
                Some(found) => Ok(found),
                None => self.make(desk, piece).await,
            };
        }
        if known.delivery_id == piece.notice.delivery_id {
            return Ok(known);
        }
        let may_end = [Outcome::Resolve, Outcome::Close].iter().any(|end| end.name() == known.pending);
        let is_open = known.is_open && !may_end;
        let outcome = if is_open || !piece.settings.reopen { Outcome::Note } else { Outcome::Reopen };
        let note = format!("The alert fired again.\n{}", piece.notice.description);
        self.change(desk, piece, known, &Change { outcome, note }).await
    }

    async fn ended(
        &self,
        desk: &dyn ServiceDesk,
        piece: &Piece<'_>,
        known: Option<ItsmTicket>,
    ) -> Result<Option<ItsmTicket>, DeskError> {
        let Some(mut known) = known else { return Ok(None) };
        if known.ticket_key.is_empty() {
            // one that was never made has not to be ended
            let Some(found) = self.look(desk, piece, &known).await? else { return Ok(None) };
            known = found;
        }
        if known.delivery_id == piece.notice.delivery_id {
            return Ok(Some(known));
        }
        let closed = piece.notice.event == AlertEvent::Closed;
        let note = if closed { "The alert was closed." } else { "The alert is resolved." };
        let change = Change { outcome: piece.settings.end(), note: note.to_owned() };
        self.change(desk, piece, known, &change).await.map(Some)
    }

    /// Asks the product for the work item; that it is asked is known before.
    async fn make(&self, desk: &dyn ServiceDesk, piece: &Piece<'_>) -> Result<ItsmTicket, DeskError> {
        let now = clock::now();
        let asked = ItsmTicket {
            connection_id: piece.connection.stored.connection_id.clone(),
            correlation_id: piece.correlation_id.clone(),
            kind: piece.kind.name().to_owned(),
            attempted_at: now,
            changed_at: now,
            is_open: true,
            ..ItsmTicket::default()
        };
        self.state.put_itsm_ticket(&asked).await?;
        match desk.create(&piece.new_item()).await {
            Ok(ticket) => {
                let ticket = without_doubles(desk, piece, ticket).await?;
                self.made(piece, asked, ticket).await
            }
            Err(problem) => {
                // surely not made: the next try has not to wait for it; else it may still be made from now on
                let attempted_at = if problem.uncertain { clock::now() } else { 0 };
                self.state.put_itsm_ticket(&ItsmTicket { attempted_at, ..asked }).await?;
                Err(problem.into())
            }
        }
    }

    async fn made(&self, piece: &Piece<'_>, asked: ItsmTicket, ticket: Ticket) -> Result<ItsmTicket, DeskError> {
        let made = ItsmTicket {
            ticket_key: ticket.key,
            number: ticket.number,
            link: ticket.link,
            is_open: ticket.open,
            delivery_id: piece.notice.delivery_id.clone(),
            changed_at: clock::now(),
            ..asked
        };
        self.state.put_itsm_ticket(&made).await?;
        Ok(made)
    }

    /// Looks whether the product has made what it was asked for. Of several, the oldest stays.
    async fn look(
        &self,
        desk: &dyn ServiceDesk,
        piece: &Piece<'_>,
        known: &ItsmTicket,
    ) -> Result<Option<ItsmTicket>, DeskError> {
        let target = Target { kind: piece.kind, key: "", correlation_id: &piece.correlation_id };
        let mut found = desk.find(&target).await?.into_iter();
        let Some(first) = found.next() else {
            let message = format!("it is not known yet whether the product has made {}", piece.correlation_id);
            self.settled(known, &message, "it is looked for again before it is asked for a second time")?;
            return Ok(None);
        };
        close_doubles(desk, piece, &first, found.collect()).await?;
        self.made(piece, known.clone(), first).await.map(Some)
    }

    /// A product may still be at work on what nobody waits for any more, as long as a request may take.
    fn settled(&self, known: &ItsmTicket, message: &str, advice: &'static str) -> Result<(), Problem> {
        let settle = Duration::from_secs(self.options.request_seconds.max(1));
        let passed = clock::now().saturating_sub(known.attempted_at);
        if known.attempted_at == 0 || passed >= i64::try_from(settle.as_micros()).unwrap_or(i64::MAX) {
            return Ok(());
        }
        Err(Problem { retry_after: Some(settle), ..Problem::new(Part::Product, message, advice) })
    }

    /// Changes a work item. A change of another kind that had no answer may still arrive: this one waits until it cannot,
    /// or it would be undone.
    async fn change(
        &self,
        desk: &dyn ServiceDesk,
        piece: &Piece<'_>,
        known: ItsmTicket,
        change: &Change,
    ) -> Result<ItsmTicket, DeskError> {
        let target = Target { kind: piece.kind, key: &known.ticket_key, correlation_id: &piece.correlation_id };
        let name = change.outcome.name();
        let moves = change.outcome != Outcome::Note;
        let other = !known.pending.is_empty() && known.pending != name;
        if moves && other {
            let message = format!("the change {} of {} may still arrive", known.pending, known.number);
            self.settled(&known, &message, "the next one waits until it cannot undo it")?;
        }
        let ticket = match desk.change(&target, change).await {
            Ok(ticket) => ticket,
            Err(problem) => {
                if moves && problem.uncertain {
                    let asked = ItsmTicket { pending: name.to_owned(), attempted_at: clock::now(), ..known };
                    self.state.put_itsm_ticket(&asked).await?;
                }
                return Err(problem.into());
            }
        };
        let changed = ItsmTicket {
            is_open: ticket.open,
            delivery_id: piece.notice.delivery_id.clone(),
            changed_at: clock::now(),
            pending: if moves && other { String::new() } else { known.pending.clone() },
            ..known
        };
        self.state.put_itsm_ticket(&changed).await?;
        Ok(changed)
    }
}

/// Something on the way to the product may send a request twice, and another server may have been as fast: of several
/// work items, the oldest stays.
///
/// # Errors
/// What may be well again later: the work item is then looked for before anything else.
async fn without_doubles(desk: &dyn ServiceDesk, piece: &Piece<'_>, made: Ticket) -> Result<Ticket, Problem> {
    if desk.makes_once() || piece.kind == ActionKind::Event {
        return Ok(made);
    }
    let target = Target { kind: piece.kind, key: "", correlation_id: &piece.correlation_id };
    let mut found = match desk.find(&target).await {
        Ok(found) => found.into_iter(),
        Err(problem) if problem.is_transient() => return Err(problem),
        Err(problem) => {
            tracing::warn!(%problem, number = made.number, "it was not looked for doubles of a work item");
            return Ok(made);
        }
    };
    let Some(first) = found.next() else { return Ok(made) };
    match close_doubles(desk, piece, &first, found.collect()).await {
        Err(problem) if problem.is_transient() => return Err(problem),
        Err(problem) => tracing::warn!(%problem, number = first.number, "a double of a work item stays open"),
        Ok(()) => {}
    }
    Ok(first)
}

/// Closes what is the same as the first one. Messages are no doubles: those with one key are one alert of the product.
async fn close_doubles(
    desk: &dyn ServiceDesk,
    piece: &Piece<'_>,
    first: &Ticket,
    others: Vec<Ticket>,
) -> Result<(), Problem> {
    if piece.kind == ActionKind::Event {
        return Ok(());
    }
    for double in others.into_iter().filter(|double| double.open) {
        let target = Target { kind: piece.kind, key: &double.key, correlation_id: &piece.correlation_id };
        let note = format!("This is the same as {}.", first.number);
        desk.change(&target, &Change { outcome: Outcome::Close, note }).await?;
    }
    Ok(())
}

impl Piece<'_> {
    fn new_item(&self) -> NewWorkItem {
        let notice = self.notice;
        let level = match notice.severity {
            0 | 1 => 1,
            2 => 2,
            _ => 3,
        };
        let title = notice.title.split_whitespace().collect::<Vec<_>>().join(" ");
        NewWorkItem {
            kind: self.kind,
            correlation_id: self.correlation_id.clone(),
            title: title.chars().take(TITLE_CHARS).collect(),
            description: notice.description.clone(),
            urgency: level,
            impact: level,
            configuration_item: self.configuration_item.clone(),
            template: self.settings.template.clone(),
            fields: self.settings.fields.clone(),
        }
    }
}

/// The configuration items that get a work item each, with what tells their correlation ids apart.
fn parts(settings: &ActionSettings, notice: &AlertNotice) -> Vec<(String, String)> {
    let mut items = notice.configuration_items.clone();
    items.sort_unstable();
    items.dedup();
    if settings.per_configuration_item && (1..=MOST_ITEMS).contains(&items.len()) {
        return items.into_iter().map(|item| (item.clone(), format!("/{}", short(&item)))).collect();
    }
    vec![(notice.configuration_items.first().cloned().unwrap_or_default(), String::new())]
}

/// Names can be longer than a correlation id.
fn short(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_configuration_item_has_a_work_item_where_the_action_says_so() {
        let notice = AlertNotice {
            event: AlertEvent::Fired,
            delivery_id: "d".to_owned(),
            alert_id: "a".to_owned(),
            title: "t".to_owned(),
            description: String::new(),
            severity: 2,
            configuration_items: ["web02", "web01", "web02"].map(str::to_owned).to_vec(),
        };
        let one = ActionSettings::default();
        assert_eq!(parts(&one, &notice), [("web02".to_owned(), String::new())]);
        let each = ActionSettings { per_configuration_item: true, ..one };
        let found = parts(&each, &notice);
        assert_eq!(found.iter().map(|(item, _)| item.as_str()).collect::<Vec<_>>(), ["web01", "web02"]);
        assert_ne!(found[0].1, found[1].1);
        let none = AlertNotice { configuration_items: Vec::new(), ..notice };
        assert_eq!(parts(&each, &none), [(String::new(), String::new())]);
    }
}
