//! The agent of this machine, started beside the server by `watchkeeper up` and started again when it ends.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use watchkeeper_management::ManagementServer;

use crate::connection::Connection;

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// An agent that ran this long had started well: the pause begins anew.
const STEADY: Duration = Duration::from_secs(60);
/// How long the agent may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);
/// The token of a first enrolment is used at once.
const TOKEN_VALID: Duration = Duration::from_secs(3600);

/// A local agent that is kept running.
pub struct LocalAgent {
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl LocalAgent {
    /// Writes the agent's configuration to `data_dir`/agent, with a token of its own, and starts it.
    pub async fn start(
        management: &ManagementServer,
        connection: &Connection,
        data_dir: &Path,
    ) -> anyhow::Result<LocalAgent> {
        let binary = agent_binary()?;
        let dir = std::path::absolute(data_dir.join("agent"))?;
        fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let token = management.create_token("the agent of this machine", Some(TOKEN_VALID), Some(1)).await?;
        let token_file = dir.join("token");
        write_secret(&token_file, &token)?;
        // the machine may have another name than at the last start (a container that was made anew), and a name goes with
        // an enrolment: the token and the same key make the same agent under the present name
        match fs::remove_file(dir.join("data/identity/agent.pem")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot enrol the agent in {} anew", dir.display()));
            }
            _ => {}
        }
        let config = dir.join("agent.toml");
        let text = format!(
            "# written by `watchkeeper up` at each start\nservers = [{:?}]\ndata = {:?}\nca_file = {:?}\ntoken_file = {:?}\n",
            connection.agent_endpoint,
            dir.join("data"),
            connection.ca_file,
            token_file,
        );
        fs::write(&config, text).with_context(|| format!("cannot write {}", config.display()))?;
        let stop = CancellationToken::new();
        let running = tokio::spawn(keep_running(binary, config, stop.clone()));
        Ok(LocalAgent { stop, running })
    }

    /// Ends the agent; what it has not sent stays in its queue.
    pub async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.running.await {
            tracing::error!(%error, "the local agent's supervision ended badly");
        }
    }
}

/// The agent's binary beside this one.
fn agent_binary() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find the path of this program")?;
    Ok(own.with_file_name("watchkeeper-agent"))
}

fn write_secret(path: &Path, secret: &str) -> anyhow::Result<()> {
    let failed = || format!("cannot write {}", path.display());
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).with_context(failed)?;
    file.write_all(secret.as_bytes()).with_context(failed)
}

/// Keeps `binary run --config FILE` running until `stop`.
async fn keep_running(binary: PathBuf, config: PathBuf, stop: CancellationToken) {
    let mut pause = FIRST_PAUSE;
    while !stop.is_cancelled() {
        let started = Instant::now();
        // the pipe closes with this process, however it ends, and the agent stops with it
        let child = Command::new(&binary)
            .args(["run", "--stop-with-stdin", "--config"])
            .arg(&config)
            // as in the unit of systemd: memory that was needed at the start goes back to the machine
            .env("MALLOC_TRIM_THRESHOLD_", "131072")
            .stdin(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        match child {
            Ok(mut child) => {
                let pipe = child.stdin.take();
                tokio::select! {
                    status = child.wait() => match status {
                        Ok(status) => tracing::warn!(%status, "the local agent ended and is started again"),
                        Err(error) => tracing::warn!(%error, "the local agent cannot be waited for"),
                    },
                    () = stop.cancelled() => return end(child).await,
                }
                drop(pipe);
            }
            Err(error) => tracing::error!(%error, binary = %binary.display(), "cannot start the local agent"),
        }
        if started.elapsed() > STEADY {
            pause = FIRST_PAUSE;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn end(mut child: Child) {
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = id
        && let Err(error) = rustix::process::kill_process(pid, rustix::process::Signal::TERM)
    {
        tracing::debug!(%error, "the local agent has already ended");
    }
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        tracing::warn!("the local agent did not end in time and is killed");
        if let Err(error) = child.kill().await {
            tracing::warn!(%error, "the local agent cannot be killed");
        }
    }
}
