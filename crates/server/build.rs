//! The console's files are carried in the binary: their folder has to be there, and a new file in it is a new binary.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = Path::new("../../console/dist");
    std::fs::create_dir_all(folder)?;
    println!("cargo::rerun-if-changed={}", folder.display());
    Ok(())
}
