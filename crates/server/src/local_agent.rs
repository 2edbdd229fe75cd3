//! The agent of this machine, started beside the server by `watchkeeper up` and started again when it ends.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// An agent that ran this long had started well: the pause begins anew.
const STEADY: Duration = Duration::from_secs(60);
/// How long the agent may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);

/// The agent's binary beside this one.
pub fn agent_binary() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find the path of this program")?;
    Ok(own.with_file_name("watchkeeper-agent"))
}

/// Keeps `binary run --config FILE` running until `stop`.
pub async fn keep_running(binary: &Path, config: &Path, stop: CancellationToken) {
    let mut pause = FIRST_PAUSE;
    while !stop.is_cancelled() {
        let started = Instant::now();
        match Command::new(binary).arg("run").arg("--config").arg(config).kill_on_drop(true).spawn() {
            Ok(mut child) => {
                tokio::select! {
                    status = child.wait() => match status {
                        Ok(status) => tracing::warn!(%status, "the local agent ended and is started again"),
                        Err(error) => tracing::warn!(%error, "the local agent cannot be waited for"),
                    },
                    () = stop.cancelled() => return end(child).await,
                }
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
