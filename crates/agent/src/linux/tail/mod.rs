//! Follows text files by pattern through rotation: rename, copy and truncate, removal.
//!
//! A file is known by device and inode, not by its name. Where reading stands is kept in the disk queue together with
//! the lines, as an offset and a checksum of what lies before it: a file that was truncated, or whose inode was given
//! to another file, is noticed even when it is larger than before. Compressed files are never read.

mod lines;
mod position;

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::collect::Collected;
use crate::queue::Positions;
pub use lines::LINE_LIMIT;
use lines::{Lines, READ_AT_ONCE};
use position::{FileId, Position, checksum};

/// How often the patterns are looked at; a known name that leads to another file is noticed at once.
const LISTING: Duration = Duration::from_secs(5);
/// A rotated file is let go when nothing came for this long.
const SETTLED: Duration = Duration::from_secs(60);
/// A file without news for this long is closed; it is opened again when it changes.
const CLOSE_AFTER: Duration = Duration::from_secs(600);
/// Endings of compressed files.
const COMPRESSED: [&str; 8] = ["gz", "xz", "bz2", "zst", "lz4", "zip", "Z", "lzma"];

/// Where reading begins in files that are there when a pattern is used for the first time. Files that come later are
/// read from their beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// All of it.
    Beginning,
    /// Only what comes.
    End,
    /// About so many bytes from the end, from the beginning of a line.
    Last(u64),
}

/// A line, as the collector gets it.
pub struct Line<'a> {
    /// The file's name when the line was read.
    pub path: &'a Path,
    /// Without its end.
    pub bytes: &'a [u8],
}

/// What happened besides lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many lines were longer than [`LINE_LIMIT`], by file.
    pub cut: Vec<(PathBuf, u64)>,
}

/// The files of some patterns.
pub struct Tail {
    prefix: String,
    patterns: Vec<String>,
    start: Start,
    settled: Duration,
    listing: Duration,
    listed_at: Option<Instant>,
    paths: Vec<PathBuf>,
    files: HashMap<FileId, Followed>,
    unreadable: HashSet<PathBuf>,
    buffer: Vec<u8>,
}

struct Followed {
    path: PathBuf,
    file: Option<File>,
    /// Its name is one of the listed ones: it was not rotated away.
    listed: bool,
    /// Size and time of change at the last look, and the position that was in force after it.
    seen: Option<(u64, i128, Vec<u8>)>,
    changed: Instant,
    /// It begins as this file does: a copy that `copytruncate` is making.
    copy_of: Option<FileId>,
}

impl Tail {
    /// `prefix` names the positions; it must not be another collector's.
    #[must_use]
    pub fn new(prefix: impl Into<String>, patterns: Vec<String>, start: Start) -> Self {
        Self {
            prefix: prefix.into(),
            patterns,
            start,
            settled: SETTLED,
            listing: LISTING,
            listed_at: None,
            paths: Vec::new(),
            files: HashMap::new(),
            unreadable: HashSet::new(),
            buffer: Vec::new(),
        }
    }

    /// With other times: how often patterns are looked at, and when a rotated file is let go.
    #[must_use]
    pub fn with_times(mut self, listing: Duration, settled: Duration) -> Self {
        self.listing = listing;
        self.settled = settled;
        self
    }

    /// Whether a file is there to read.
    #[must_use]
    pub fn has_files(&self) -> bool {
        let readable = |path: PathBuf| is_text_file(&path) && File::open(&path).is_ok();
        self.patterns.iter().filter_map(|pattern| glob::glob(pattern).ok()).flatten().flatten().any(readable)
    }

    /// Gives the lines that came since `positions`, up to an amount; `out.more` says that there are more.
    pub fn read(
        &mut self,
        positions: &Positions,
        out: &mut Collected,
        emit: &mut dyn FnMut(&mut Collected, Line<'_>),
    ) -> Report {
        let mut pass = Pass { budget: READ_AT_ONCE, changes: HashMap::new(), positions, report: Report::default() };
        self.list(&mut pass, out);
        self.find_rotated(&mut pass);
        let mut order: Vec<FileId> = self.files.keys().copied().collect();
        // what was rotated away is older than what has its name now
        order.sort_by_key(|id| {
            let followed = &self.files[id];
            let time = followed.seen.as_ref().map_or(i128::MAX, |(_, time, _)| *time);
            (followed.listed, pass.position(&self.prefix, *id).is_none(), time, followed.path.clone())
        });
        // a copy is judged after its original was read as far as it goes
        for id in order {
            self.follow(id, &mut pass, out, emit);
        }
        // copies of files that were found to be truncated just now come into their own
        let waiting: Vec<FileId> = self.files.iter().filter(|(_, one)| one.seen.is_none()).map(|(id, _)| *id).collect();
        for id in waiting {
            self.follow(id, &mut pass, out, emit);
        }
        if pass.budget == 0 {
            out.more = true;
        }
        for (key, value) in pass.changes {
            out.position(key, value);
        }
        self.buffer = Vec::new();
        pass.report
    }

    /// Looks at the patterns when it is time, and at the listed names for other files behind them.
    fn list(&mut self, pass: &mut Pass<'_>, out: &mut Collected) {
        let due = self.listed_at.is_none_or(|at| at.elapsed() >= self.listing);
        if due {
            self.listed_at = Some(Instant::now());
            let mut paths = Vec::new();
            for pattern in self.patterns.clone() {
                let Ok(found) = glob::glob(&pattern) else { continue };
                let marker = format!("{}?{pattern}", self.prefix);
                let first_time = pass.positions.get(&marker).is_none();
                if first_time {
                    out.position(marker, b"1".to_vec());
                }
                for path in found.flatten().filter(|path| is_text_file(path)) {
                    if first_time {
                        self.begin(&path, pass);
                    }
                    if !paths.contains(&path) {
                        paths.push(path);
                    }
                }
            }
            self.paths = paths;
        }
        let mut listed: HashMap<FileId, PathBuf> = HashMap::new();
        for path in &self.paths {
            if let Ok(metadata) = fs::metadata(path) {
                listed.entry(FileId::of(&metadata)).or_insert_with(|| path.clone());
            }
        }
        for (id, followed) in &mut self.files {
            followed.listed = listed.contains_key(id);
        }
        for (id, path) in listed {
            match self.files.get_mut(&id) {
                Some(followed) => followed.path = path,
                None => {
                    self.files.insert(id, Followed::new(path, true));
                }
            }
        }
    }

    /// Sets where reading begins in a file that was there before its pattern.
    fn begin(&mut self, path: &Path, pass: &mut Pass<'_>) {
        let Ok(file) = File::open(path) else { return };
        let Ok(metadata) = file.metadata() else { return };
        let id = FileId::of(&metadata);
        if pass.position(&self.prefix, id).is_some() {
            return;
        }
        let (offset, skipping) = match self.start {
            Start::Beginning => (0, false),
            Start::End => (metadata.len(), false),
            Start::Last(bytes) if bytes < metadata.len() => (metadata.len() - bytes, true),
            Start::Last(_) => (0, false),
        };
        let check = checksum(&file, offset).unwrap_or(0);
        let position = Position { offset, skipping, check, path: path.to_path_buf() };
        pass.set(&self.prefix, id, &position);
    }

    /// Finds files that have a position but no listed name: renamed while the agent was not running.
    fn find_rotated(&mut self, pass: &mut Pass<'_>) {
        let prefix = format!("{}/", self.prefix);
        let lost: Vec<FileId> = pass
            .positions
            .keys(&prefix)
            .filter_map(|key| FileId::parse(key.strip_prefix(&prefix)?))
            .filter(|id| !self.files.contains_key(id))
            .collect();
        for id in lost {
            let Some(position) = pass.position(&self.prefix, id) else { continue };
            let same = |path: &PathBuf| {
                let file = File::open(path).ok()?;
                let fits = FileId::of(&file.metadata().ok()?) == id && position.fits(&file);
                fits.then_some(())
            };
            // under its old name it was not rotated: no pattern asks for it any more
            match siblings(&position.path).into_iter().find(|path| same(path).is_some()) {
                Some(path) if path != position.path => {
                    self.find_between(&position.path, &path, pass);
                    self.files.insert(id, Followed::new(path, false));
                }
                _ => pass.forget(&self.prefix, id),
            }
        }
    }

    /// Finds files that had the name after a rotated one, and were rotated away themselves, while nobody looked.
    fn find_between(&mut self, name: &Path, rotated: &Path, pass: &Pass<'_>) {
        let Ok(oldest) = fs::metadata(rotated) else { return };
        for path in siblings(name) {
            let Ok(metadata) = fs::metadata(&path) else { continue };
            let id = FileId::of(&metadata);
            let unknown = !self.files.contains_key(&id) && pass.position(&self.prefix, id).is_none();
            if unknown && is_numbered(name, &path) && changed_at(&metadata) > changed_at(&oldest) {
                self.files.insert(id, Followed::new(path, false));
            }
        }
    }

    fn follow(
        &mut self,
        id: FileId,
        pass: &mut Pass<'_>,
        out: &mut Collected,
        emit: &mut dyn FnMut(&mut Collected, Line<'_>),
    ) {
        if pass.budget == 0 {
            return;
        }
        let kept = pass.bytes(&self.prefix, id);
        let Some(followed) = self.files.get_mut(&id) else { return };
        let metadata = match &followed.file {
            Some(file) => file.metadata(),
            None => fs::metadata(&followed.path),
        };
        // a closed file that was renamed is searched for by its inode at the next look
        let Some(metadata) = metadata.ok().filter(|metadata| FileId::of(metadata) == id) else {
            self.files.remove(&id);
            return;
        };
        let state = (metadata.len(), changed_at(&metadata), kept);
        if followed.seen.as_ref() == Some(&state) {
            self.rest(id, pass, out, emit);
            return;
        }
        if followed.file.is_none() {
            match File::open(&followed.path) {
                // another file may have taken the name meanwhile; the next listing sees it
                Ok(file) if file.metadata().is_ok_and(|metadata| FileId::of(&metadata) == id) => {
                    self.unreadable.remove(&followed.path);
                    followed.file = Some(file);
                }
                Ok(_) => return,
                Err(error) => {
                    if self.unreadable.insert(followed.path.clone()) {
                        tracing::warn!(path = %followed.path.display(), %error, "cannot read a log file");
                    }
                    return;
                }
            }
        }
        followed.changed = Instant::now();
        let Some(mut position) = self.stand(id, pass) else { return };
        let Some(followed) = self.files.get_mut(&id) else { return };
        let Some(file) = &followed.file else { return };
        if self.buffer.is_empty() {
            self.buffer = vec![0; lines::CHUNK];
        }
        let mut lines = Lines { file, buffer: &mut self.buffer, budget: pass.budget, cut: 0 };
        let path = followed.path.clone();
        let read = lines.read(&mut position, &mut |bytes| emit(out, Line { path: &path, bytes }));
        pass.budget = lines.budget;
        if lines.cut > 0 {
            pass.report.cut.push((path.clone(), lines.cut));
        }
        let finished = match read {
            Ok(finished) => finished,
            Err(error) => {
                if self.unreadable.insert(path.clone()) {
                    tracing::warn!(path = %path.display(), %error, "cannot read a log file");
                }
                return;
            }
        };
        position.path = path;
        position.check = checksum(file, position.offset).unwrap_or(0);
        pass.set(&self.prefix, id, &position);
        // with bytes left to read, the file is looked at again whatever it says
        followed.seen = finished.then(|| (state.0, state.1, position.to_bytes()));
    }

    /// Where a file stands: as kept; at its beginning when it is new or was truncated; nothing while it is a copy in
    /// the making.
    fn stand(&mut self, id: FileId, pass: &mut Pass<'_>) -> Option<Position> {
        let followed = self.files.get(&id)?;
        let file = followed.file.as_ref()?;
        if let Some(position) = pass.position(&self.prefix, id) {
            if position.fits(file) {
                return Some(position);
            }
            if !followed.listed {
                self.files.remove(&id);
                pass.forget(&self.prefix, id);
                return None;
            }
            tracing::info!(path = %followed.path.display(), offset = position.offset, "log file was truncated");
            self.truncated(id, &position, pass);
        } else if let Some(original) = self.original_of(id) {
            let metadata = file.metadata().ok()?;
            let followed = self.files.get_mut(&id)?;
            followed.copy_of = Some(original);
            // looked at again when it grows, or when the original is truncated
            followed.seen = Some((metadata.len(), changed_at(&metadata), Vec::new()));
            return None;
        }
        let path = self.files.get(&id)?.path.clone();
        Some(Position { offset: 0, skipping: false, check: 0, path })
    }

    /// A file that has no position: is it the beginning of one that is followed, as `copytruncate` makes it?
    fn original_of(&self, id: FileId) -> Option<FileId> {
        let copy = self.files.get(&id)?;
        let file = copy.file.as_ref()?;
        let size = file.metadata().ok().filter(|metadata| metadata.len() > 0)?.len();
        let begins_alike = |original: &Followed| {
            let Some(other) = &original.file else { return false };
            position::same_bytes(file, other, 0, size) && position::same_bytes(file, other, size, size)
        };
        self.files
            .iter()
            .find(|(other, original)| {
                **other != id
                    && original.copy_of.is_none()
                    && is_rotated_name(&original.path, &copy.path)
                    && begins_alike(original)
            })
            .map(|(original, _)| *original)
    }

    /// What was written into a truncated file and not yet read is in its copy, if there is one: the copy takes over
    /// the position.
    fn truncated(&mut self, id: FileId, position: &Position, pass: &mut Pass<'_>) {
        let copies: Vec<FileId> =
            self.files.iter().filter(|(_, one)| one.copy_of == Some(id)).map(|(copy, _)| *copy).collect();
        let mut best: Option<(u64, FileId, PathBuf)> = None;
        for path in siblings(&position.path) {
            if !is_rotated_name(&position.path, &path) {
                continue;
            }
            let Ok(file) = File::open(&path) else { continue };
            let Ok(metadata) = file.metadata() else { continue };
            let copy = FileId::of(&metadata);
            let known = copy == id || pass.position(&self.prefix, copy).is_some();
            let larger = best.as_ref().is_none_or(|(size, _, _)| metadata.len() > *size);
            if !known && larger && position.offset > 0 && position.fits(&file) {
                best = Some((metadata.len(), copy, path));
            }
        }
        for copy in copies {
            if best.as_ref().is_some_and(|(_, chosen, _)| *chosen == copy) {
                continue;
            }
            // an older copy: its lines were read in the original
            if let Some(one) = self.files.get_mut(&copy) {
                one.copy_of = None;
                let size = one.file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |metadata| metadata.len());
                let check = one.file.as_ref().and_then(|file| checksum(file, size)).unwrap_or(0);
                let read = Position { offset: size, skipping: false, check, path: one.path.clone() };
                pass.set(&self.prefix, copy, &read);
            }
        }
        if let Some((_, copy, path)) = best {
            pass.set(&self.prefix, copy, &Position { path: path.clone(), ..position.clone() });
            let listed = self.paths.contains(&path);
            let followed = self.files.entry(copy).or_insert_with(|| Followed::new(path, listed));
            followed.copy_of = None;
            followed.seen = None;
        }
    }

    /// Nothing new in a file: closes it, or lets a rotated one go with what is its last line.
    fn rest(
        &mut self,
        id: FileId,
        pass: &mut Pass<'_>,
        out: &mut Collected,
        emit: &mut dyn FnMut(&mut Collected, Line<'_>),
    ) {
        let Some(followed) = self.files.get_mut(&id) else { return };
        if followed.listed {
            if followed.changed.elapsed() >= CLOSE_AFTER {
                followed.file = None;
            }
            return;
        }
        if followed.changed.elapsed() < self.settled {
            return;
        }
        if let (Some(file), Some(position)) = (&followed.file, pass.position(&self.prefix, id)) {
            let last = lines::rest(file, &position);
            if !last.is_empty() {
                emit(out, Line { path: &followed.path, bytes: &last });
            }
        }
        pass.forget(&self.prefix, id);
        self.files.remove(&id);
    }
}

impl Followed {
    fn new(path: PathBuf, listed: bool) -> Self {
        Self { path, file: None, listed, seen: None, changed: Instant::now(), copy_of: None }
    }
}

/// One call of [`Tail::read`]: positions as they will be when its rows are kept.
struct Pass<'a> {
    positions: &'a Positions,
    changes: HashMap<String, Vec<u8>>,
    budget: usize,
    report: Report,
}

impl Pass<'_> {
    fn bytes(&self, prefix: &str, id: FileId) -> Vec<u8> {
        let key = id.key(prefix);
        match self.changes.get(&key) {
            Some(changed) => changed.clone(),
            None => self.positions.get(&key).unwrap_or_default().to_vec(),
        }
    }

    fn position(&self, prefix: &str, id: FileId) -> Option<Position> {
        Position::from_bytes(&self.bytes(prefix, id))
    }

    fn set(&mut self, prefix: &str, id: FileId, position: &Position) {
        let (key, value) = (id.key(prefix), position.to_bytes());
        if self.changes.contains_key(&key) || self.positions.get(&key) != Some(value.as_slice()) {
            self.changes.insert(key, value);
        }
    }

    fn forget(&mut self, prefix: &str, id: FileId) {
        self.changes.insert(id.key(prefix), Vec::new());
    }
}

fn changed_at(metadata: &fs::Metadata) -> i128 {
    i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec())
}

fn is_text_file(path: &Path) -> bool {
    let compressed = path.extension().is_some_and(|ending| COMPRESSED.iter().any(|one| ending == *one));
    !compressed && fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
}

/// The files beside a file.
fn siblings(path: &Path) -> Vec<PathBuf> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| is_text_file(path)).collect()
}

/// `app.log.1`, `app.log-20260102` and `app-1.log` can be rotated forms of `app.log`.
fn is_rotated_name(original: &Path, other: &Path) -> bool {
    let (Some(stem), Some(name)) = (original.file_stem(), other.file_name()) else { return false };
    let (stem, name) = (stem.to_string_lossy(), name.to_string_lossy());
    original.file_name() != other.file_name()
        && name.strip_prefix(stem.as_ref()).is_some_and(|rest| rest.starts_with(|next: char| !next.is_alphanumeric()))
}

/// `app.log.1` and `app.log-20260102` are `app.log` after rotation and nothing else.
fn is_numbered(original: &Path, other: &Path) -> bool {
    let (Some(original), Some(name)) = (original.file_name(), other.file_name()) else { return false };
    let (original, name) = (original.to_string_lossy(), name.to_string_lossy());
    let number = name.strip_prefix(original.as_ref()).and_then(|rest| rest.strip_prefix(['.', '-']));
    number.is_some_and(|number| number.starts_with(|first: char| first.is_ascii_digit()))
}
