//! The queue of deliveries: what is due is taken in hand for a time, tried, and what came of it is written. A server
//! that ends in the middle leaves it in the queue: it is tried again under the same identity.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use watchkeeper_alerting::Period;
use watchkeeper_alerting::action_group::{ActionGroup, How};
use watchkeeper_alerting::common_schema::{Notice, payload};
use watchkeeper_alerting::message;
use watchkeeper_alerting::retry::{self, Answer, Next, Schedule};
use watchkeeper_alerting::work_item::{WorkItemError, WorkItemEvent, WorkItemLink, WorkItemOrder};
use watchkeeper_management::clock;
use watchkeeper_management::rule_alerts::{AlertEvent, DeliveryOutcomes};
use watchkeeper_state::{AlertDelivery, DeliveryStatus, StateError, WorkItem};

use super::Alerting;

/// Deliveries that are tried at a time.
const AT_A_TIME: usize = 32;
/// A delivery is in one server's hand so long, and longer where that server says so again: another one goes on with it
/// so soon after the first was killed.
const CLAIM: i64 = 20 * 1_000_000;
const HOLD: Duration = Duration::from_secs(5);
/// The longest wait between looks at the queue.
const LOOK: Duration = Duration::from_secs(2);
const RETRY: Duration = Duration::from_secs(2);
const HOUR: i64 = 3_600_000_000;
/// What was delivered is kept so long, dead letters longer.
const KEEP: i64 = 7 * 24 * HOUR;
const KEEP_DEAD: i64 = 30 * 24 * HOUR;

/// What a receiver did, and the work items that came of it.
pub(super) type Done = (Answer, Vec<WorkItemLink>);

impl Alerting {
    /// Delivers for as long as the server runs.
    pub(super) async fn deliver_all(self: Arc<Self>) {
        let mut trying: JoinSet<()> = JoinSet::new();
        let mut groomed = Instant::now();
        loop {
            while trying.try_join_next().is_some() {}
            let room = AT_A_TIME - trying.len().min(AT_A_TIME);
            let wait = match self.take_some(room).await {
                Ok(taken) => {
                    let any = !taken.is_empty();
                    let groups = if any { self.action_groups().await } else { Ok(Vec::new()) };
                    match groups {
                        Ok(groups) => {
                            let groups = Arc::new(groups);
                            for delivery in taken {
                                trying.spawn(Arc::clone(&self).try_one(delivery, Arc::clone(&groups)));
                            }
                        }
                        Err(error) => tracing::warn!(%error, "action groups cannot be read; deliveries wait"),
                    }
                    if any { Duration::from_millis(50) } else { LOOK }
                }
                Err(error) => {
                    tracing::warn!(%error, "deliveries of alerts wait");
                    RETRY
                }
            };
            if groomed.elapsed() > Duration::from_secs(3600) {
                groomed = Instant::now();
                let now = clock::now();
                if let Err(error) = self.state.groom_alert_deliveries(now - KEEP, now - KEEP_DEAD).await {
                    tracing::warn!(%error, "old deliveries are removed later");
                }
            }
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = self.due.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        // what is being sent gets a moment: cut off, it would be sent again
        let rest = async { while trying.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(Duration::from_secs(3), rest).await;
    }

    async fn take_some(&self, room: usize) -> Result<Vec<AlertDelivery>, StateError> {
        let now = clock::now();
        let due = self.state.next_alert_delivery().await?.is_some_and(|at| at <= now);
        if room == 0 || !due {
            return Ok(Vec::new());
        }
        let mut changes = self.state.change().await?;
        let room = u32::try_from(room).unwrap_or(1);
        let taken = changes.claim_alert_deliveries(self.operations.server_id(), now, now + CLAIM, room).await?;
        changes.commit().await?;
        Ok(taken)
    }

    async fn try_one(self: Arc<Self>, mut delivery: AlertDelivery, groups: Arc<Vec<ActionGroup>>) {
        let began = Instant::now();
        let now = clock::now();
        match self.limited(&delivery, now).await {
            Ok(None) => {}
            Ok(Some(until)) => {
                delivery.next_at = until;
                delivery.document["error"] = json!("it waits: the receiver has had as many as it may in this time");
                self.record(DeliveryOutcomes { deliveries: vec![delivery], ..DeliveryOutcomes::default() }).await;
                return;
            }
            Err(error) => tracing::warn!(%error, "the limit of a receiver cannot be read"),
        }
        let (answer, links) = self.send_held(&delivery, &groups).await;
        delivery.attempts += 1;
        delivery.document["durationMs"] = json!(i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX));
        let outcomes = settled(&self.tries, delivery, &answer, links, clock::now());
        self.record(outcomes).await;
        self.due.notify_one();
    }

    /// Writes what came of a try; it is tried again and again, for without it the receiver is called once more.
    async fn record(&self, outcomes: DeliveryOutcomes) {
        let operational = &self.operations.operational;
        loop {
            let copy = DeliveryOutcomes {
                deliveries: outcomes.deliveries.clone(),
                resting: outcomes.resting.clone(),
                notes: outcomes.notes.clone(),
            };
            match operational.record_deliveries(copy, clock::now()).await {
                Ok(()) => return,
                Err(error) => tracing::warn!(%error, "what came of a delivery is not written yet"),
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    /// Until when a delivery has to wait because its receiver has had enough (documented limits).
    async fn limited(&self, delivery: &AlertDelivery, now: i64) -> Result<Option<i64>, StateError> {
        if delivery.document["receiverType"] != "Email" {
            let wait = self.webhooks.turn(now);
            return Ok(wait);
        }
        let (sent, first) = self.state.delivered_since(&delivery.endpoint, now - HOUR).await?;
        Ok((sent >= i64::from(retry::MOST_MAILS_AN_HOUR)).then(|| (first + HOUR).max(now + 1_000_000)))
    }

    /// Sends, and keeps other servers from the delivery meanwhile.
    async fn send_held(&self, delivery: &AlertDelivery, groups: &[ActionGroup]) -> Done {
        let sending = self.send(delivery, groups);
        tokio::pin!(sending);
        loop {
            tokio::select! {
                done = &mut sending => return done,
                () = tokio::time::sleep(HOLD) => {}
            }
            let until = clock::now() + CLAIM;
            let held = self.state.hold_alert_delivery(self.operations.server_id(), &delivery.id, until);
            match tokio::time::timeout(HOLD, held).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "another server may try the same delivery"),
                Err(_) => tracing::warn!("another server may try the same delivery: the store does not answer"),
            }
        }
    }

    async fn send(&self, delivery: &AlertDelivery, groups: &[ActionGroup]) -> Done {
        let refused = |reason: String| (Answer::Refused { reason }, Vec::new());
        let text = |name: &str| delivery.document[name].as_str().unwrap_or_default();
        let notice: Notice = match serde_json::from_value(delivery.document["notice"].clone()) {
            Ok(notice) => notice,
            Err(error) => return refused(format!("the delivery cannot be read: {error}")),
        };
        let group = groups.iter().find(|group| group.resource.key() == text("groupKey"));
        let receiver =
            group.and_then(|group| group.receivers.iter().find(|receiver| receiver.name == text("receiver")));
        let Some(receiver) = receiver else {
            return refused(format!(
                "the action group {:?} has no receiver {:?} any more",
                text("actionGroup"),
                text("receiver")
            ));
        };
        let event = AlertEvent::parse(text("event")).unwrap_or(AlertEvent::Fired);
        self.tell(&receiver.how, &notice, event, &delivery.id).await
    }

    /// Tells one receiver once.
    pub(super) async fn tell(&self, how: &How, notice: &Notice, event: AlertEvent, delivery_id: &str) -> Done {
        let answer = match how {
            How::Webhook { uri, secure } => {
                let token = match secure {
                    None => None,
                    Some(secure) => match self.secure_token(&secure.identifier_uri) {
                        Ok(token) => Some(token),
                        Err(reason) => return (Answer::Refused { reason }, Vec::new()),
                    },
                };
                self.webhooks.call(uri, &payload(notice), token.as_deref(), delivery_id).await
            }
            How::Chat { service, uri } => {
                self.webhooks.call(uri, &message::chat(*service, notice), None, delivery_id).await
            }
            How::Email { address } => self.send_mail(address, &message::mail(notice), delivery_id).await,
            How::Script { file, arguments, timeout_seconds } => {
                self.run_script(file, arguments, *timeout_seconds, &payload(notice), delivery_id).await
            }
            How::Itsm(receiver) => {
                let order = WorkItemOrder {
                    delivery_id: delivery_id.to_owned(),
                    event: match event {
                        AlertEvent::Fired => WorkItemEvent::Fired,
                        AlertEvent::Resolved => WorkItemEvent::Resolved,
                        AlertEvent::Closed => WorkItemEvent::Closed,
                    },
                    receiver: receiver.clone(),
                    notice: notice.clone(),
                    payload: payload(notice),
                };
                return self.order_work_item(&order).await;
            }
        };
        (answer, Vec::new())
    }

    async fn order_work_item(&self, order: &WorkItemOrder) -> Done {
        let Some(work_items) = self.work_items.get() else {
            let reason = WorkItemError::NoConnection(order.receiver.connection.clone()).to_string();
            return (Answer::Refused { reason }, Vec::new());
        };
        match work_items.deliver(order).await {
            Ok(links) => (Answer::Delivered, links),
            Err(WorkItemError::Later { reason, after }) => (Answer::Later { reason, after }, Vec::new()),
            Err(error) => (Answer::Refused { reason: error.to_string() }, Vec::new()),
        }
    }

    /// A token of this server for a secure webhook.
    fn secure_token(&self, audience: &str) -> Result<String, String> {
        /// The application that secure webhooks are called by, as it is documented for receivers.
        const CALLER: &str = "461e8683-5575-4561-ac7f-899cc907d62a";
        self.tokens.issue(CALLER, audience, &self.url).map_err(|error| format!("no token can be made: {error}"))
    }

    /// Puts a dead letter, or one that waits, at the head of the queue; false where there is none to be replayed.
    pub async fn replay(&self, id: &str, who: &str) -> Result<bool, StateError> {
        let Some(mut delivery) = self.state.alert_delivery(id).await? else { return Ok(false) };
        if delivery.status == DeliveryStatus::Delivered {
            return Ok(false);
        }
        let now = clock::now();
        delivery.status = DeliveryStatus::Waiting;
        (delivery.attempts, delivery.next_at, delivery.finished_at) = (0, now, 0);
        // a day from now on, not from when the alert fired
        delivery.document["replayedAt"] = json!(now);
        let outcomes = DeliveryOutcomes {
            resting: vec![(delivery.endpoint.clone(), 0)],
            notes: vec![(
                delivery.alert_id.clone(),
                format!("{who} replays the delivery to {}", shown(&delivery)),
                Vec::new(),
            )],
            deliveries: vec![delivery],
        };
        self.operations.operational.record_deliveries(outcomes, now).await?;
        self.due.notify_one();
        Ok(true)
    }
}

fn shown(delivery: &AlertDelivery) -> String {
    let text = |name: &str| delivery.document[name].as_str().unwrap_or_default();
    format!("{} {:?} of {:?}", text("receiverType"), text("receiver"), text("actionGroup"))
}

/// The delivery after a try, with what else follows from it.
fn settled(
    tries: &Schedule,
    mut delivery: AlertDelivery,
    answer: &Answer,
    links: Vec<WorkItemLink>,
    now: i64,
) -> DeliveryOutcomes {
    let since = delivery.document["replayedAt"].as_i64().unwrap_or(delivery.created_at);
    let mut outcomes = DeliveryOutcomes::default();
    let reason = match answer {
        Answer::Delivered => "",
        Answer::Later { reason, .. } | Answer::Refused { reason } => reason.as_str(),
    };
    delivery.document["error"] = json!(reason);
    match retry::next(tries, answer, delivery.attempts, Period((now - since).max(0))) {
        Next::Done => {
            (delivery.status, delivery.finished_at) = (DeliveryStatus::Delivered, now);
            let note = format!("{} was told that it {}", shown(&delivery), past(&delivery.document["event"]));
            let items = links
                .into_iter()
                .map(|link| WorkItem {
                    connection: link.connection,
                    kind: link.kind,
                    id: link.id,
                    number: link.number,
                    link: link.link,
                    state: link.state,
                })
                .collect();
            outcomes.notes.push((delivery.alert_id.clone(), note, items));
        }
        Next::Again(after) => delivery.next_at = now + after.micros(),
        Next::Rest(after) => {
            delivery.next_at = now + after.micros();
            outcomes.resting.push((delivery.endpoint.clone(), delivery.next_at));
        }
        Next::Dead => {
            (delivery.status, delivery.finished_at) = (DeliveryStatus::Dead, now);
            let note = format!("{} could not be told: {reason}", shown(&delivery));
            outcomes.notes.push((delivery.alert_id.clone(), note, Vec::new()));
        }
    }
    outcomes.deliveries.push(delivery);
    outcomes
}

fn past(event: &Value) -> &'static str {
    match event.as_str() {
        Some("Resolved") => "was resolved",
        Some("Closed") => "was closed",
        _ => "fired",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(attempts: u32) -> AlertDelivery {
        AlertDelivery {
            id: "d".into(),
            endpoint: "e".into(),
            attempts,
            created_at: 1,
            document: json!({"event": "Fired"}),
            ..AlertDelivery::default()
        }
    }

    #[test]
    fn a_series_that_failed_lets_the_endpoint_rest_and_a_refusal_is_a_dead_letter() {
        let later = Answer::Later { reason: "503".into(), after: None };
        let tries = &Schedule::default();
        let again = settled(tries, delivery(1), &later, Vec::new(), 10);
        assert_eq!((again.deliveries[0].next_at, again.resting.len()), (10 + 5_000_000, 0));
        let rest = settled(tries, delivery(6), &later, Vec::new(), 10);
        assert_eq!(rest.resting, [("e".to_owned(), 10 + 15 * 60 * 1_000_000)]);
        let dead = settled(tries, delivery(1), &Answer::Refused { reason: "401".into() }, Vec::new(), 10);
        assert_eq!((dead.deliveries[0].status, dead.deliveries[0].finished_at), (DeliveryStatus::Dead, 10));
        assert_eq!(dead.deliveries[0].document["error"], "401");
        let done = settled(tries, delivery(1), &Answer::Delivered, vec![WorkItemLink::default()], 10);
        assert_eq!(done.deliveries[0].status, DeliveryStatus::Delivered);
        assert_eq!(done.notes[0].2.len(), 1);
    }
}
