//! What the server has of a file, so that a second run does not send it again. Losing this costs time, not rows: the
//! server knows the batches too.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use anyhow::Context;
use parking_lot::Mutex;

/// The batches of one file that were acknowledged.
pub struct Resume {
    stored: HashMap<String, u64>,
    file: Mutex<File>,
}

/// Names a batch of a file: its number and its content.
pub fn key(number: u64, digest: &str) -> String {
    format!("{number}-{digest}")
}

impl Resume {
    /// Reads what is known of a file with this identity in this workspace.
    pub fn open(workspace: &str, identity: &str) -> anyhow::Result<Resume> {
        Resume::open_at(folder()?.join(format!("{workspace}-{identity}")))
    }

    fn open_at(path: PathBuf) -> anyhow::Result<Resume> {
        let folder = path.parent().context("the resume file has no folder")?;
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        // a line without an end was cut off by a crash
        let lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        let stored = lines.filter_map(|line| {
            let (key, rows) = line.split_once(' ')?;
            Some((key.to_owned(), rows.parse().ok()?))
        });
        let stored = stored.collect();
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        if !text.is_empty() && !text.ends_with('\n') {
            file.write_all(b"\n")?;
        }
        Ok(Resume { stored, file: Mutex::new(file) })
    }

    /// The rows of a batch that the server has.
    pub fn rows(&self, key: &str) -> Option<u64> {
        self.stored.get(key).copied()
    }

    /// Remembers a batch that the server has acknowledged.
    pub fn remember(&self, key: &str, rows: u64) -> anyhow::Result<()> {
        let line = format!("{key} {rows}\n");
        self.file.lock().write_all(line.as_bytes()).context("the resume file cannot be written")
    }
}

fn folder() -> anyhow::Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty()) {
        Some(path) => PathBuf::from(path),
        None => {
            PathBuf::from(std::env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?).join(".cache")
        }
    };
    Ok(base.join("watchkeeper").join("import"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_remembered_and_a_line_that_was_cut_off_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cache").join("file");
        let resume = Resume::open_at(path.clone()).unwrap();
        resume.remember(&key(0, "aa"), 20_000).unwrap();
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"1-bb 2000").unwrap();
        let resume = Resume::open_at(path.clone()).unwrap();
        assert_eq!((resume.rows("0-aa"), resume.rows("1-bb")), (Some(20_000), None));
        resume.remember(&key(2, "cc"), 5).unwrap();
        assert_eq!(Resume::open_at(path).unwrap().rows("2-cc"), Some(5));
    }
}
