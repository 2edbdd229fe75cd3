//! The only way by which the store touches files, so that tests can put faults in it.
//! What must survive a power cut is synced here: the file, then the folder that names it.

pub mod fault;

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// An open file that only grows.
pub trait IoFile: Write + Send {
    /// Returns when every byte written so far survives a power cut.
    fn sync(&mut self) -> io::Result<()>;
}

/// What a folder holds.
#[derive(Debug, Clone)]
pub struct Entry {
    pub path: PathBuf,
    pub is_dir: bool,
    pub size: u64,
    pub modified: SystemTime,
}

/// The file operations of the store.
pub trait Io: Send + Sync + Debug {
    /// Creates a file that must not exist yet.
    fn create(&self, path: &Path) -> io::Result<Box<dyn IoFile>>;
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Syncs a file that somebody else wrote.
    fn sync_file(&self, path: &Path) -> io::Result<()>;
    /// Cuts a file to its first `len` bytes and syncs it.
    fn truncate(&self, path: &Path, len: u64) -> io::Result<()>;
    /// Renames, replacing what is there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Renames, failing with `AlreadyExists` if the target is there.
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Makes creations, renames and removals in a folder survive a power cut.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// The entries of a folder, sorted by path; empty if there is no such folder.
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;
    /// Bytes that this process may still write on the file system that holds the path.
    fn free_space(&self, path: &Path) -> io::Result<u64>;

    /// Writes a file whole: after a power cut there is the old content or the new.
    fn write_atomic(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.write_temporary(path, bytes)?;
        self.rename(&temporary, path)?;
        self.sync_dir(path.parent().unwrap_or(path))
    }

    /// As [`Io::write_atomic`], but fails with `AlreadyExists` if the file is there.
    fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.write_temporary(path, bytes)?;
        if let Err(error) = self.rename_new(&temporary, path) {
            // the temporary file is nobody's; failing to remove it loses nothing
            let _ = self.remove(&temporary);
            return Err(error);
        }
        self.sync_dir(path.parent().unwrap_or(path))
    }

    #[doc(hidden)]
    fn write_temporary(&self, path: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
        let temporary = path.with_extension(format!("{}.tmp", uuid::Uuid::new_v4().simple()));
        let mut file = self.create(&temporary)?;
        if let Err(error) = file.write_all(bytes).and_then(|()| file.sync()) {
            // as above: an orphan at worst, which vacuum removes
            let _ = self.remove(&temporary);
            return Err(error);
        }
        Ok(temporary)
    }
}

/// The operating system's files.
#[derive(Debug, Default, Clone, Copy)]
pub struct RealIo;

struct RealFile(File);

impl Write for RealFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn write_vectored(&mut self, parts: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl IoFile for RealFile {
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

impl Io for RealIo {
    fn create(&self, path: &Path) -> io::Result<Box<dyn IoFile>> {
        Ok(Box::new(RealFile(OpenOptions::new().write(true).create_new(true).open(path)?)))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_data()
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(len)?;
        file.sync_data()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        // a hard link fails if the target exists, on every Unix file system; a rename would replace it
        fs::hard_link(from, to)?;
        fs::remove_file(from)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let listing = match fs::read_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(entries),
            listing => listing?,
        };
        for entry in listing {
            let entry = entry?;
            let metadata = match entry.metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata?,
            };
            entries.push(Entry {
                path: entry.path(),
                is_dir: metadata.is_dir(),
                size: metadata.len(),
                modified: metadata.modified()?,
            });
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    fn free_space(&self, path: &Path) -> io::Result<u64> {
        let statistics = rustix::fs::statvfs(path)?;
        Ok(statistics.f_bavail.saturating_mul(statistics.f_frsize))
    }
}
