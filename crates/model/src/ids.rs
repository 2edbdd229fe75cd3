//! Identities of elements and objects. Both are computed from names, so every server gives the same thing the same
//! identity without asking another.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

const ELEMENTS: Uuid = Uuid::from_u128(0x5d6a_2c1e_9a0b_4c57_8f0e_3b6d_17c4_a901);
const OBJECTS: Uuid = Uuid::from_u128(0x5d6a_2c1e_9a0b_4c57_8f0e_3b6d_17c4_a902);

/// The identity of an element of a management pack (`$MPElement$`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ElementId(pub Uuid);

impl ElementId {
    /// From the pack's ID and the element's ID within it.
    #[must_use]
    pub fn of(pack: &str, element: &str) -> Self {
        Self(Uuid::new_v5(&ELEMENTS, format!("{pack}!{element}").as_bytes()))
    }
}

impl fmt::Display for ElementId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// The identity of an object: an instance of a class (`$Target/Id$`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectId(pub Uuid);

impl ObjectId {
    /// From the class that declares the keys and the values of the key properties, the hosts' first (specification
    /// 4.4: identity is the class with the keys, its own and those of every host). Values are compared without case.
    #[must_use]
    pub fn of<'a>(class: ElementId, keys: impl IntoIterator<Item = &'a str>) -> Self {
        let mut name = class.0.to_string();
        for key in keys {
            name.push('\u{1f}');
            name.extend(key.chars().flat_map(char::to_lowercase));
        }
        Self(Uuid::new_v5(&OBJECTS, name.as_bytes()))
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}
