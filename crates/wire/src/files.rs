//! Files that only their owner may read, replaced in one step.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::WireError;

/// Writes a file with mode 0600 so that a reader sees the old or the new contents, never a part, also after a crash.
///
/// # Errors
/// When the folder cannot be made or the file not written.
pub fn write_private(path: &Path, contents: &[u8]) -> Result<(), WireError> {
    let failed = |action| move |source| WireError::File { action, path: path.to_path_buf(), source };
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(folder).map_err(failed("create the folder of"))?;
    let temporary = path.with_extension("new");
    match fs::remove_file(&temporary) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed("replace")(error)),
    }
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary).map_err(failed("create"))?;
    file.write_all(contents).map_err(failed("write"))?;
    file.sync_all().map_err(failed("write"))?;
    fs::rename(&temporary, path).map_err(failed("write"))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("write"))
}

pub(crate) fn read_text(path: &Path) -> Result<String, WireError> {
    fs::read_to_string(path).map_err(|source| WireError::File { action: "read", path: path.to_path_buf(), source })
}
