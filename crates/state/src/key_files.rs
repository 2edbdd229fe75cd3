//! Where a server finds the keys of secrets at rest: `state.key` in its data folder, which only its owner can read, or
//! systemd's credentials (systemd.exec(5), `LoadCredential=` and `LoadCredentialEncrypted=`). While keys are replaced
//! there are two, so the next one has a file of its own beside the first.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::StateError;
use crate::seal::{KEY_LEN, Key};

/// The credential of the key, and of the one that is to follow it.
const CREDENTIAL: &str = "state.key";
const NEXT_CREDENTIAL: &str = "state.key.next";

/// The places of a server's keys.
#[derive(Debug, Clone)]
pub struct KeyFiles {
    file: PathBuf,
    credentials: Option<PathBuf>,
}

/// What was found in them.
pub(crate) struct FoundKeys {
    /// The credentials' first, then the data folder's; never empty.
    pub keys: Vec<Key>,
    /// How many of them are credentials.
    pub credentials: usize,
}

impl KeyFiles {
    /// `file` in the data folder; it is made where there is no key at all.
    #[must_use]
    pub fn new(file: &Path) -> KeyFiles {
        KeyFiles { file: file.to_path_buf(), credentials: None }
    }

    /// The folder of systemd's credentials too, where there is one (`$CREDENTIALS_DIRECTORY`).
    #[must_use]
    pub fn with_credentials(self, folder: Option<PathBuf>) -> KeyFiles {
        KeyFiles { credentials: folder, ..self }
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    fn next_file(&self) -> PathBuf {
        let mut name = self.file.as_os_str().to_os_string();
        name.push(".next");
        PathBuf::from(name)
    }

    /// Every key; one that is made where there is none.
    pub(crate) fn load(&self) -> Result<FoundKeys, StateError> {
        let mut keys = Vec::new();
        for name in [CREDENTIAL, NEXT_CREDENTIAL] {
            let Some(folder) = &self.credentials else { continue };
            // systemd gives the unit's user a place in the access list, which shows as a right of the group
            keys.extend(read(&folder.join(name), 0o007)?);
        }
        let credentials = keys.len();
        keys.extend(read(&self.file, 0o077)?);
        if keys.is_empty() {
            let key = Key::random();
            write_private(&self.file, &key).map_err(|error| failed(&self.file, error.to_string()))?;
            keys.push(key);
        }
        keys.extend(read(&self.next_file(), 0o077)?);
        Ok(FoundKeys { keys, credentials })
    }

    /// A key of the credentials that is not `current`.
    pub(crate) fn other_credential(&self, current: &str) -> Result<Option<Key>, StateError> {
        let found = self.load()?;
        Ok(found.keys.into_iter().take(found.credentials).find(|key| key.id != current))
    }

    /// Whether a key is in the credentials.
    pub(crate) fn is_credential(&self, id: &str) -> Result<bool, StateError> {
        let found = self.load()?;
        Ok(found.keys.iter().take(found.credentials).any(|key| key.id == id))
    }

    /// Puts the next key beside the first, so that it outlives a crash.
    pub(crate) fn write_next(&self, key: &Key) -> Result<(), StateError> {
        let path = self.next_file();
        write_private(&path, key).map_err(|error| failed(&path, error.to_string()))
    }

    /// Every secret is encrypted with `current`: it becomes the key of the data folder in the place of the one before,
    /// or the data folder has none where it is one of the credentials.
    pub(crate) fn settle(&self, current: &str) -> Result<(), StateError> {
        let next = self.next_file();
        let fail = |error: std::io::Error| failed(&self.file, error.to_string());
        let holds = |path: &Path| Ok::<bool, StateError>(read(path, 0o077)?.is_some_and(|key| key.id == current));
        if !holds(&self.file)? {
            if holds(&next)? {
                std::fs::rename(&next, &self.file).map_err(fail)?;
            } else if self.is_credential(current)? {
                remove(&self.file).map_err(fail)?;
            }
        }
        remove(&next).map_err(fail)?;
        sync_folder(&self.file).map_err(fail)
    }
}

fn failed(path: &Path, reason: String) -> StateError {
    StateError::KeyFile { path: path.to_path_buf(), reason }
}

fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The key of a file, where there is one. `forbidden`: rights that it must not have.
fn read(path: &Path, forbidden: u32) -> Result<Option<Key>, StateError> {
    match File::open(path) {
        Ok(file) => read_key(file, forbidden).map(|bytes| Some(Key::new(bytes))).map_err(|reason| failed(path, reason)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path, error.to_string())),
    }
}

fn read_key(mut file: File, forbidden: u32) -> Result<[u8; KEY_LEN], String> {
    let mode = file.metadata().map_err(|error| error.to_string())?.permissions().mode() & 0o777;
    if mode & forbidden != 0 {
        return Err(format!("its mode is {mode:o}, so others can read it; chmod it to 600"));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    let length = bytes.len();
    bytes.try_into().map_err(|_| format!("it has {length} bytes instead of {KEY_LEN}; restore it from a backup"))
}

/// All of it or nothing, also after a crash: a file of another name is moved to its place.
fn write_private(path: &Path, key: &Key) -> std::io::Result<()> {
    let mut name = path.as_os_str().to_os_string();
    name.push(format!(".{}.new", std::process::id()));
    let temporary = PathBuf::from(name);
    remove(&temporary)?;
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(key.bytes())?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    sync_folder(path)
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(found: &FoundKeys) -> Vec<String> {
        found.keys.iter().map(|key| key.id.clone()).collect()
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let files = KeyFiles::new(&path);
        files.load().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(files.load().err().unwrap().to_string().contains("chmod"));
    }

    #[test]
    fn a_key_file_that_is_cut_off_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let files = KeyFiles::new(&path);
        files.load().unwrap();
        File::options().write(true).open(&path).unwrap().set_len(5).unwrap();
        assert!(files.load().err().unwrap().to_string().contains("5 bytes instead of 32"));
    }

    #[test]
    fn a_credential_comes_first_and_no_file_is_made_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let (path, credentials) = (dir.path().join("key"), dir.path().join("credentials"));
        std::fs::create_dir(&credentials).unwrap();
        let given = Key::random();
        std::fs::write(credentials.join("state.key"), given.bytes()).unwrap();
        // as systemd shows it where the unit's user is in the access list
        std::fs::set_permissions(credentials.join("state.key"), std::fs::Permissions::from_mode(0o440)).unwrap();
        let files = KeyFiles::new(&path).with_credentials(Some(credentials.clone()));
        let found = files.load().unwrap();
        assert_eq!((ids(&found), found.credentials), (vec![given.id.clone()], 1));
        assert!(!path.exists());
        assert!(files.other_credential(&given.id).unwrap().is_none());
        assert!(files.is_credential(&given.id).unwrap());

        let next = Key::random();
        std::fs::write(credentials.join("state.key.next"), next.bytes()).unwrap();
        std::fs::set_permissions(credentials.join("state.key.next"), std::fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(files.other_credential(&given.id).unwrap().unwrap().id, next.id);
    }

    #[test]
    fn the_next_key_takes_the_place_of_the_one_before_when_all_is_done() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let files = KeyFiles::new(&path);
        let first = ids(&files.load().unwrap());
        let next = Key::random();
        files.write_next(&next).unwrap();
        assert_eq!(ids(&files.load().unwrap()), [first[0].clone(), next.id.clone()], "both, in case of a crash");
        files.settle(&next.id).unwrap();
        assert_eq!(ids(&files.load().unwrap()), std::slice::from_ref(&next.id));
        files.settle(&next.id).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);

        // one that came to nothing
        files.write_next(&Key::random()).unwrap();
        files.settle(&next.id).unwrap();
        assert_eq!(ids(&files.load().unwrap()), [next.id]);
    }
}
