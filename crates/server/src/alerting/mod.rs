//! Alert rules over tables at work: rules are evaluated in their turns, what they fire and resolve becomes alerts, and
//! those who have to know are told through a queue that survives a crash. What rules mean is in `watchkeeper-alerting`.

mod alert;
mod deliver;
mod email;
mod evaluate;
mod learn;
mod measure;
mod plan;
mod preview;
mod resources;
mod rules;
mod runner;
mod script;
mod test;
mod webhook;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use watchkeeper_alerting::Period;
use watchkeeper_alerting::retry::Schedule;
use watchkeeper_alerting::rule::Allowed;
use watchkeeper_alerting::work_item::WorkItems;
use watchkeeper_state::State;
use watchkeeper_wire::Authority;

use crate::config::{AlertsConfig, Config, MailConfig};
use crate::identity::Tokens;
use crate::operations::Operations;
use crate::queries::Queries;
use crate::together::Together;

pub use evaluate::Evaluated;
pub use preview::Preview;
pub use resources::{RefusedResource, RuleStatus, Stored, kind_of, patched};
use rules::Rules;
pub use test::Tested;
use webhook::Webhooks;

/// How long work that was begun may take at the end.
const END: Duration = Duration::from_secs(5);

/// Everything about alerts of rules over tables, and about telling people of alerts.
pub struct Alerting {
    state: State,
    operations: Arc<Operations>,
    queries: Arc<Queries>,
    tokens: Tokens,
    workspace_id: String,
    /// Where this server is reached, for links and as the issuer of tokens.
    url: String,
    console_url: String,
    allowed: Allowed,
    late: Period,
    catch_up: Period,
    /// When deliveries are tried again.
    tries: Schedule,
    scripts_dir: PathBuf,
    mail: MailConfig,
    trusted: Vec<Vec<u8>>,
    webhooks: Webhooks,
    work_items: OnceLock<Arc<dyn WorkItems>>,
    rules: RwLock<Rules>,
    functions: Mutex<measure::CachedFunctions>,
    models: Mutex<learn::Learned>,
    /// Rules or what they need have changed.
    changed: Notify,
    /// Deliveries may be due.
    due: Notify,
    turns: Arc<Semaphore>,
    writing: Together<Evaluated, String>,
    stop: CancellationToken,
    tasks: tokio::sync::Mutex<Vec<JoinHandle<()>>>,
}

/// What alerting is built on.
pub struct Parts<'a> {
    pub config: &'a Config,
    pub state: State,
    pub operations: Arc<Operations>,
    pub queries: Arc<Queries>,
    pub tokens: Tokens,
    pub workspace_id: String,
    pub url: String,
    pub authority: &'a Authority,
}

impl Alerting {
    /// Prepares everything; [`Alerting::start`] begins.
    pub fn new(parts: Parts<'_>) -> anyhow::Result<Arc<Alerting>> {
        let AlertsConfig { ca_file, scripts_dir, console_url, concurrency, .. } = &parts.config.alerts;
        let mut trusted = vec![parts.authority.certificate_pem().as_bytes().to_vec()];
        if !ca_file.as_os_str().is_empty() {
            let pem = std::fs::read(ca_file)
                .with_context(|| format!("cannot read the authorities {} (alerts.ca_file)", ca_file.display()))?;
            trusted.push(pem);
        }
        let webhooks = Webhooks::new(&trusted).context("cannot make the client of webhooks")?;
        let concurrency = match concurrency {
            0 => std::thread::available_parallelism().map_or(2, usize::from),
            given => *given,
        };
        let seconds = |seconds: u32| Period::seconds(i64::from(seconds));
        let alerts = &parts.config.alerts;
        email::check(&parts.config.mail)?;
        Ok(Arc::new(Alerting {
            state: parts.state,
            operations: parts.operations,
            queries: parts.queries,
            tokens: parts.tokens,
            workspace_id: parts.workspace_id,
            console_url: if console_url.is_empty() { parts.url.clone() } else { console_url.clone() },
            url: parts.url,
            allowed: Allowed { shortest_frequency: seconds(alerts.shortest_frequency_seconds.max(1)) },
            late: seconds(alerts.late_data_seconds),
            catch_up: Period::seconds(i64::from(alerts.catch_up_minutes) * 60),
            tries: Schedule {
                delays: alerts.delivery_retry_seconds.iter().copied().map(seconds).collect(),
                rest: seconds(alerts.delivery_rest_seconds),
            },
            scripts_dir: match scripts_dir.as_os_str().is_empty() {
                true => parts.config.data.dir.join("scripts"),
                false => scripts_dir.clone(),
            },
            mail: parts.config.mail.clone(),
            trusted,
            webhooks,
            work_items: OnceLock::new(),
            rules: RwLock::default(),
            functions: Mutex::default(),
            models: Mutex::default(),
            changed: Notify::new(),
            due: Notify::new(),
            turns: Arc::new(Semaphore::new(concurrency)),
            writing: Together::default(),
            stop: CancellationToken::new(),
            tasks: tokio::sync::Mutex::default(),
        }))
    }

    /// Begins to evaluate rules and to deliver.
    pub async fn start(self: &Arc<Self>) -> anyhow::Result<()> {
        self.state.release_alert_deliveries(self.operations.server_id()).await?;
        let mut tasks = self.tasks.lock().await;
        tasks.push(tokio::spawn(Arc::clone(self).run_rules()));
        tasks.push(tokio::spawn(Arc::clone(self).plan_deliveries()));
        tasks.push(tokio::spawn(Arc::clone(self).deliver_all()));
        Ok(())
    }

    /// Says who makes work items of alerts. Called once, by whoever runs connections.
    pub fn register_work_items(&self, work_items: Arc<dyn WorkItems>) {
        if self.work_items.set(work_items).is_err() {
            tracing::error!("work items were registered twice; the first registration holds");
        }
    }

    /// Ends; what is queued waits in the store.
    pub async fn stop(&self) {
        self.stop.cancel();
        for task in self.tasks.lock().await.drain(..) {
            let abort = task.abort_handle();
            if tokio::time::timeout(END, task).await.is_err() {
                abort.abort();
            }
        }
    }
}
