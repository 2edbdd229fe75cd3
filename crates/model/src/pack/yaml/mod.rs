//! Management packs in YAML: the short form of the same model, for authors. `docs/management-packs-yaml.md` describes it.

mod article;
mod emit;
mod expression;
mod load;
mod read;
mod table;
mod write;

use super::common::At;
use super::problem::Problems;
use super::xml::{self, Reading};
use super::{FileName, limits};

pub use write::write;

/// Reads a pack. `file` is what messages call it.
#[must_use]
pub fn read(file: &str, bytes: &[u8]) -> Reading {
    let mut problems = Problems::of(file);
    if bytes.len() > limits::FILE_BYTES {
        let size = limits::FILE_BYTES >> 20;
        problems.error(At::default(), "", format!("the file has {} bytes; packs have at most {size} MiB", bytes.len()));
        return Reading { pack: None, problems: problems.into_list() };
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        problems.error(At::default(), "", "the file is not UTF-8; save it as UTF-8");
        return Reading { pack: None, problems: problems.into_list() };
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let tree = load::load(text, &mut problems).and_then(|root| read::tree(&root, &mut problems));
    let mut pack = tree.and_then(|tree| xml::from_tree(tree, &mut problems));
    if let Some(pack) = &mut pack {
        pack.file = FileName(file.to_owned());
    }
    Reading { pack, problems: problems.into_list() }
}
