//! Running a program: in a process group of its own, which goes as a whole when the run is given up; with limits on
//! what is kept of its output.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use super::module::Failure;
use super::users;

/// What to run.
#[derive(Clone)]
pub struct Execution {
    /// By path, or by name in the folders of `PATH`.
    pub program: OsString,
    /// Without the program's name.
    pub arguments: Vec<OsString>,
    /// Where; else the root folder.
    pub folder: Option<PathBuf>,
    /// Besides the agent's own.
    pub environment: Vec<(String, String)>,
    /// Whom it runs as; `None`: the agent's own user.
    pub user: Option<String>,
    /// What is kept of each output.
    pub output_limit: usize,
}

/// A program that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Its output, cut at the limit.
    pub stdout: String,
    /// Its error output, cut at the limit.
    pub stderr: String,
    /// The exit code; 128 and the signal's number where a signal ended it.
    pub code: i32,
}

/// Ends a process group when it is dropped.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // a group that has ended already is no error
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Runs a program to its end. Dropping the future ends it with all that it started. What it leaves running in its
/// group when it ends is ended too.
///
/// # Errors
/// When it cannot be started.
pub async fn execute(execution: Execution) -> Result<Finished, Failure> {
    let shown = execution.program.to_string_lossy().into_owned();
    let mut command = Command::new(&execution.program);
    if let Some(name) = &execution.user {
        users::run_as(&mut command, name).await.map_err(Failure::new)?;
    }
    let mut child = command
        .args(&execution.arguments)
        .envs(execution.environment)
        .current_dir(execution.folder.unwrap_or_else(|| PathBuf::from("/")))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| Failure::new(format!("cannot start {shown}: {error}")))?;
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let group = Group(id);
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let limit = execution.output_limit;
    let reading = async { tokio::join!(read(stdout, limit), read(stderr, limit)) };
    tokio::pin!(reading);
    // children that keep the output open do not keep the run
    let (status, outputs) = tokio::select! {
        outputs = &mut reading => (child.wait().await, Some(outputs)),
        status = child.wait() => (status, None),
    };
    drop(group);
    let (stdout, stderr) = match outputs {
        Some(outputs) => outputs,
        None => reading.await,
    };
    let status = status.map_err(|error| Failure::new(format!("cannot wait for {shown}: {error}")))?;
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    let code = status.code().or(signal.map(|signal| 128 + signal)).unwrap_or(-1);
    Ok(Finished { stdout, stderr, code })
}

/// Reads to the end; what is past the limit is thrown away, so that the program is not held up.
async fn read(from: Option<impl AsyncRead + Unpin>, limit: usize) -> String {
    let Some(mut from) = from else { return String::new() };
    let mut kept = Vec::new();
    let mut buffer = [0_u8; 8 * 1024];
    while let Ok(count) = from.read(&mut buffer).await {
        if count == 0 {
            break;
        }
        let room = limit.saturating_sub(kept.len()).min(count);
        kept.extend_from_slice(&buffer[..room]);
    }
    String::from_utf8_lossy(&kept).into_owned()
}
