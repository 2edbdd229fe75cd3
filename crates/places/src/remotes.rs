//! What is known of remote addresses: their place and their threat, remembered for those that come again.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::source::{Looked, Source, Status};
use crate::{Place, Places, Threat, Threats};

/// Addresses that are remembered; with more, remembering begins anew.
const MOST_REMEMBERED: usize = 65_536;

/// The files as an administrator names them; none where there is no path.
#[derive(Debug, Clone, Default)]
pub struct Files {
    pub places: Option<PathBuf>,
    pub threats: Option<PathBuf>,
}

/// What is known of an address.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Remote {
    pub place: Option<Place>,
    pub threat: Option<Arc<Threat>>,
}

impl Remote {
    /// Whether it is known to be malicious, still.
    #[must_use]
    pub fn is_malicious(&self) -> bool {
        self.threat.as_ref().is_some_and(|threat| threat.is_active)
    }
}

/// The files' content at one time.
#[derive(Default)]
pub struct Known {
    places: Option<Arc<Places>>,
    threats: Option<Arc<Threats>>,
    remembered: Mutex<HashMap<IpAddr, Option<Arc<Remote>>>>,
}

impl Known {
    /// What is known of an address; none where that is nothing.
    #[must_use]
    pub fn find(&self, address: IpAddr) -> Option<Arc<Remote>> {
        if self.places.is_none() && self.threats.is_none() {
            return None;
        }
        if let Some(known) = self.remembered.lock().get(&address) {
            return known.clone();
        }
        let place = self.places.as_ref().and_then(|places| places.find(address));
        let threat = self.threats.as_ref().and_then(|threats| threats.find(address)).cloned();
        let found = (place.is_some() || threat.is_some()).then(|| Arc::new(Remote { place, threat }));
        let mut remembered = self.remembered.lock();
        if remembered.len() >= MOST_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(address, found.clone());
        found
    }
}

/// What a look at the files found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A file was read.
    Read { file: PathBuf, content: String },
    /// A file cannot be used; what was read before stays.
    Broken { problem: String, before: Option<String> },
}

/// Both files, and their content.
pub struct Remotes {
    places: Option<Source<Places>>,
    threats: Option<Source<Threats>>,
    known: RwLock<Arc<Known>>,
}

impl fmt::Debug for Remotes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Remotes").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl Remotes {
    /// Nothing is read yet: [`Remotes::look`] does.
    #[must_use]
    pub fn new(files: Files) -> Remotes {
        let entries = |threats: &Threats| format!("{} addresses and networks", threats.count());
        Remotes {
            places: files.places.map(|file| Source::new(file, Places::read, |places| places.kind().to_owned())),
            threats: files.threats.map(|file| Source::new(file, Threats::read, entries)),
            known: RwLock::default(),
        }
    }

    /// Whether an administrator has named a file.
    #[must_use]
    pub fn has_files(&self) -> bool {
        self.places.is_some() || self.threats.is_some()
    }

    /// Reads the files that are new or have changed. It takes the time of reading them.
    pub fn look(&self) -> Vec<News> {
        let mut news = Vec::new();
        let places = self.places.as_ref().and_then(|source| heard(source, &mut news));
        let threats = self.threats.as_ref().and_then(|source| heard(source, &mut news));
        if places.is_some() || threats.is_some() {
            let mut known = self.known.write();
            *known = Arc::new(Known {
                places: places.or_else(|| known.places.clone()),
                threats: threats.or_else(|| known.threats.clone()),
                remembered: Mutex::default(),
            });
        }
        news
    }

    /// What is known now: for many addresses, take it once.
    #[must_use]
    pub fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read())
    }

    /// How the files are: that of places, that of threats.
    #[must_use]
    pub fn status(&self) -> (Option<Status>, Option<Status>) {
        (self.places.as_ref().map(Source::status), self.threats.as_ref().map(Source::status))
    }
}

fn heard<T>(source: &Source<T>, news: &mut Vec<News>) -> Option<Arc<T>> {
    let before = source.status().content;
    match source.look() {
        Looked::Same => None,
        Looked::New(thing) => {
            let status = source.status();
            news.push(News::Read { file: status.file, content: status.content.unwrap_or_default() });
            Some(thing)
        }
        Looked::Broken(error) => {
            news.push(News::Broken { problem: error.to_string(), before });
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_again_when_it_changes_and_a_broken_one_leaves_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("threats.csv");
        let remotes = Remotes::new(Files { places: None, threats: Some(file.clone()) });
        let one: IpAddr = "203.0.113.7".parse().unwrap();
        assert!(remotes.has_files());
        assert!(matches!(&remotes.look()[..], [News::Broken { before: None, .. }]));
        assert_eq!(remotes.look(), []);
        assert_eq!(remotes.known().find(one), None);

        std::fs::write(&file, "Address,Severity\n203.0.113.7,5\n").unwrap();
        assert!(matches!(&remotes.look()[..], [News::Read { content, .. }] if content == "1 addresses and networks"));
        let found = remotes.known().find(one).unwrap();
        assert!(found.is_malicious() && found.place.is_none());
        assert_eq!(remotes.known().find(one), Some(found));
        assert_eq!(remotes.look(), []);

        std::fs::write(&file, "Address,Severity\n203.0.113.7,high\n").unwrap();
        assert!(matches!(&remotes.look()[..], [News::Broken { before: Some(_), .. }]));
        assert!(remotes.known().find(one).unwrap().is_malicious());
        let status = remotes.status().1.unwrap();
        assert!(status.problem.unwrap().contains("line 2") && status.content.is_some());

        std::fs::write(&file, "Address,IsActive\n203.0.113.7,false\n198.51.100.0/24,true\n").unwrap();
        assert_eq!(remotes.look().len(), 1);
        assert!(!remotes.known().find(one).unwrap().is_malicious());
        assert_eq!(remotes.status().1.unwrap().problem, None);
    }
}
