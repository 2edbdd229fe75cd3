//! Management packs as XML: schema 2.0, the older 1.0 and 1.1 where they differ, and fragments of authoring tools.

pub mod cursor;
mod decode;
pub mod fragment;
mod read;
mod read_monitoring;
mod read_types;
mod tree;
mod write;

use crate::node::Node;

use super::common::At;
use super::problem::{Problem, Problems};
use super::{FileName, ManagementPack, limits};

pub use read::from_tree;
pub use write::{to_tree, write};

/// What reading a file gives.
#[derive(Debug)]
pub struct Reading {
    /// `None`: the file holds no pack.
    pub pack: Option<ManagementPack>,
    /// In the order of the file.
    pub problems: Vec<Problem>,
}

/// Reads a pack or fragment. `file` is what messages call it.
#[must_use]
pub fn read(file: &str, bytes: &[u8]) -> Reading {
    let mut problems = Problems::of(file);
    if bytes.len() > limits::FILE_BYTES {
        let size = limits::FILE_BYTES >> 20;
        problems.error(At::default(), "", format!("the file has {} bytes; packs have at most {size} MiB", bytes.len()));
        return Reading { pack: None, problems: problems.into_list() };
    }
    let text = decode::decode(bytes, &mut problems);
    read_text(file, &text, problems)
}

fn read_text(file: &str, text: &str, mut problems: Problems) -> Reading {
    let tree = tree::parse(text, &mut problems);
    let used = tree.root.as_ref().map(fragment::aliases).unwrap_or_default();
    let mut pack = match tree.root {
        Some(root) => from_tree(root, &mut problems),
        None => {
            problems.error(At::default(), "", "the file holds no element; a pack starts with <ManagementPack …>");
            None
        }
    };
    if let Some(pack) = &mut pack {
        pack.file = FileName(file.to_owned());
        if pack.fragment {
            fragment::complete(pack, &tree.comments, &used);
        }
    }
    Reading { pack, problems: problems.into_list() }
}

/// Reads one element, such as a data item; `None` where the text is none.
#[must_use]
pub fn read_element(text: &str) -> Option<Node> {
    tree::parse(text, &mut Problems::of("")).root
}

/// Whether a text reads as XML without any problem, within an element of its own.
fn is_well_formed(content: &str) -> bool {
    let mut problems = Problems::of("");
    let tree = tree::parse(&format!("<content>{content}</content>"), &mut problems);
    tree.root.is_some_and(|root| root.name == "content") && problems.into_list().is_empty()
}
