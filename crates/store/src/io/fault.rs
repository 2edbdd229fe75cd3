//! Real files with faults from a plan: for tests of what the store does when the disk misbehaves.
//! A power cut loses bytes that were not synced and names whose folder was not.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Entry, Io, IoFile, RealIo};

/// Faults to come, counted in operations.
#[derive(Debug, Default, Clone)]
pub struct Faults {
    /// The power goes at the operation with this number (writes, syncs, renames, creations, removals count).
    pub power_cut_at: Option<u64>,
    /// Syncs of files that fail (the first is 1); bytes of a failed sync are as good as never synced.
    pub failing_syncs: Vec<u64>,
    /// Bytes left on the disk; a write past them is cut short, and then fails with "no space".
    pub space: Option<u64>,
}

#[derive(Debug, Default)]
struct State {
    faults: Faults,
    operations: u64,
    syncs: u64,
    power_is_off: bool,
    /// Bytes synced and bytes written of each file.
    synced: HashMap<PathBuf, (u64, u64)>,
    /// Files whose sync failed once: as on Linux, a later sync succeeds without saving what the failed one lost.
    poisoned: HashSet<PathBuf>,
    names: Vec<Undo>,
}

/// How to take back a change of a folder that was never synced.
#[derive(Debug)]
enum Undo {
    Created(PathBuf),
    Renamed { from: PathBuf, to: PathBuf, replaced: Option<Vec<u8>> },
    Removed { path: PathBuf, content: Vec<u8> },
}

impl Undo {
    fn folder(&self) -> Option<&Path> {
        match self {
            Undo::Created(path) | Undo::Renamed { to: path, .. } | Undo::Removed { path, .. } => path.parent(),
        }
    }
}

/// [`RealIo`] with faults. Cloning shares the faults.
#[derive(Debug, Default, Clone)]
pub struct FaultIo {
    state: Arc<Mutex<State>>,
}

impl FaultIo {
    pub fn new(faults: Faults) -> FaultIo {
        let io = FaultIo::default();
        io.state.lock().faults = faults;
        io
    }

    pub fn set_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.state.lock().faults);
    }

    /// Operations so far.
    pub fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// File syncs so far.
    pub fn syncs(&self) -> u64 {
        self.state.lock().syncs
    }

    /// Turns the power off at once.
    pub fn cut_power(&self) {
        self.state.lock().power_is_off = true;
    }

    /// Leaves the files as a power cut may: of unsynced bytes a part stays (possibly garbled), of unsynced names
    /// the last ones go. `random` gives numbers below its argument.
    pub fn lose_unsynced(&self, mut random: impl FnMut(u64) -> u64) -> io::Result<()> {
        let mut state = self.state.lock();
        state.power_is_off = true;
        let names = std::mem::take(&mut state.names);
        let mut kept = random(names.len() as u64 + 1) as usize;
        let mut paths: Vec<_> = state.synced.drain().collect();
        paths.sort();
        for (path, (synced, written)) in paths {
            if synced == written || !path.exists() {
                continue;
            }
            let mut bytes = std::fs::read(&path)?;
            bytes.truncate((synced + random(written - synced + 1)) as usize);
            if bytes.len() as u64 > synced && random(2) == 0 {
                let at = synced + random(bytes.len() as u64 - synced);
                bytes[at as usize] ^= 1 << random(8);
            }
            std::fs::write(&path, bytes)?;
        }
        let mut undo = names;
        while undo.len() > kept {
            match undo.pop().expect("there is an entry, the length is above zero") {
                Undo::Created(path) => drop(std::fs::remove_file(path)),
                Undo::Renamed { from, to, replaced } => {
                    std::fs::rename(&to, &from)?;
                    if let Some(content) = replaced {
                        std::fs::write(&to, content)?;
                    }
                }
                Undo::Removed { path, content } => std::fs::write(path, content)?,
            }
            kept = kept.min(undo.len());
        }
        Ok(())
    }

    fn step(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        state.operations += 1;
        if state.faults.power_cut_at.is_some_and(|at| state.operations >= at) {
            state.power_is_off = true;
        }
        if state.power_is_off { Err(io::Error::other("injected: the power is off")) } else { Ok(()) }
    }

    fn moved(&self, from: &Path, to: &Path, replaced: Option<Vec<u8>>) {
        let mut state = self.state.lock();
        if let Some(lengths) = state.synced.remove(from) {
            state.synced.insert(to.to_owned(), lengths);
        }
        state.names.push(Undo::Renamed { from: from.to_owned(), to: to.to_owned(), replaced });
    }
}

struct FaultFile {
    io: FaultIo,
    path: PathBuf,
    inner: Box<dyn IoFile>,
}

impl Write for FaultFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.io.step()?;
        let space = self.io.state.lock().faults.space;
        let allowed = space.map_or(bytes.len(), |space| bytes.len().min(space as usize));
        if allowed == 0 && !bytes.is_empty() {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "injected: no space left on device"));
        }
        let written = self.inner.write(&bytes[..allowed])?;
        let mut state = self.io.state.lock();
        if let Some(space) = &mut state.faults.space {
            *space = space.saturating_sub(written as u64);
        }
        state.synced.entry(self.path.clone()).or_default().1 += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl IoFile for FaultFile {
    fn sync(&mut self) -> io::Result<()> {
        self.io.step()?;
        let mut state = self.io.state.lock();
        state.syncs += 1;
        let number = state.syncs;
        if state.faults.failing_syncs.contains(&number) {
            state.poisoned.insert(self.path.clone());
            return Err(io::Error::other("injected: fsync failed"));
        }
        if state.poisoned.contains(&self.path) {
            return Ok(());
        }
        let lengths = state.synced.entry(self.path.clone()).or_default();
        lengths.0 = lengths.1;
        Ok(())
    }
}

impl Io for FaultIo {
    fn create(&self, path: &Path) -> io::Result<Box<dyn IoFile>> {
        self.step()?;
        let inner = RealIo.create(path)?;
        self.state.lock().names.push(Undo::Created(path.to_owned()));
        Ok(Box::new(FaultFile { io: self.clone(), path: path.to_owned(), inner }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        RealIo.read(path)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        RealIo.sync_file(path)
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        self.step()?;
        RealIo.truncate(path, len)?;
        self.state.lock().synced.insert(path.to_owned(), (len, len));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        let replaced = std::fs::read(to).ok();
        RealIo.rename(from, to)?;
        self.moved(from, to, replaced);
        Ok(())
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        RealIo.rename_new(from, to)?;
        self.moved(from, to, None);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        let content = RealIo.read(path)?;
        RealIo.remove(path)?;
        let mut state = self.state.lock();
        state.synced.remove(path);
        state.names.push(Undo::Removed { path: path.to_owned(), content });
        Ok(())
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        RealIo.create_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        self.state.lock().names.retain(|name| name.folder() != Some(path));
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        RealIo.list(path)
    }

    fn free_space(&self, path: &Path) -> io::Result<u64> {
        match self.state.lock().faults.space {
            Some(space) => Ok(space),
            None => RealIo.free_space(path),
        }
    }
}
