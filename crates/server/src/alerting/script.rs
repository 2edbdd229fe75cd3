//! Scripts: programs of one folder, run without a shell, with the payload on their input and a time that they may take.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use watchkeeper_alerting::retry::Answer;

use super::Alerting;

/// The exit code that says «try again» (`EX_TEMPFAIL`).
const TRY_AGAIN: i32 = 75;
/// Bytes of what it says that are kept.
const MOST_OUTPUT: u64 = 4096;

impl Alerting {
    /// Runs a script once.
    pub(super) async fn run_script(
        &self,
        file: &str,
        arguments: &[String],
        timeout_seconds: u32,
        payload: &Value,
        delivery_id: &str,
    ) -> Answer {
        let path = match script(&self.scripts_dir, file) {
            Ok(path) => path,
            Err(reason) => return Answer::Refused { reason },
        };
        let mut command = Command::new(&path);
        command
            .args(arguments)
            .current_dir(&self.scripts_dir)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("WATCHKEEPER_DELIVERY_ID", delivery_id)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // what it has started goes with it
            .process_group(0)
            .kill_on_drop(true);
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return Answer::Refused { reason: format!("cannot run {}: {error}", path.display()) },
        };
        let group = child.id();
        let work = async {
            let (input, errors) = (child.stdin.take(), child.stderr.take());
            let text = payload.to_string();
            let write = async {
                if let Some(mut input) = input {
                    // a script need not read it
                    let _ = input.write_all(text.as_bytes()).await;
                }
            };
            let read = async {
                let mut said = Vec::new();
                if let Some(errors) = errors {
                    let mut errors = errors;
                    let _ = (&mut errors).take(MOST_OUTPUT).read_to_end(&mut said).await;
                    let _ = tokio::io::copy(&mut errors, &mut tokio::io::sink()).await;
                }
                said
            };
            let ((), said) = tokio::join!(write, read);
            (child.wait().await, said)
        };
        let limit = Duration::from_secs(u64::from(timeout_seconds));
        let Ok((ended, said)) = tokio::time::timeout(limit, work).await else {
            kill_group(group);
            return Answer::Later {
                reason: format!("{file} took more than {timeout_seconds} s and was ended"),
                after: None,
            };
        };
        let said = String::from_utf8_lossy(&said).split_whitespace().collect::<Vec<_>>().join(" ");
        match ended {
            Ok(status) if status.success() => Answer::Delivered,
            Ok(status) => {
                let reason = format!("{file} ended with {status}: {said}");
                match status.code() {
                    Some(TRY_AGAIN) => Answer::Later { reason, after: None },
                    _ => Answer::Refused { reason },
                }
            }
            Err(error) => Answer::Later { reason: format!("{file} cannot be waited for: {error}"), after: None },
        }
    }
}

fn kill_group(group: Option<u32>) {
    let group = group.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

/// The file of a script: in the folder itself, not behind a link out of it.
fn script(folder: &Path, file: &str) -> Result<PathBuf, String> {
    let missing = |error| format!("the script {file:?} is not in {}: {error}", folder.display());
    let folder_path = folder.canonicalize().map_err(missing)?;
    let path = folder_path.join(file).canonicalize().map_err(missing)?;
    if path.parent() != Some(folder_path.as_path()) || !path.is_file() {
        return Err(format!("{file:?} is not a file of {}", folder.display()));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_the_folder_itself_are_scripts() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("scripts");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("ok.sh"), "#!/bin/sh\n").unwrap();
        std::fs::write(dir.path().join("outside"), "").unwrap();
        std::os::unix::fs::symlink(dir.path().join("outside"), folder.join("link")).unwrap();
        assert!(script(&folder, "ok.sh").is_ok());
        for file in ["../outside", "link", "missing", "."] {
            assert!(script(&folder, file).is_err(), "{file}");
        }
    }
}
