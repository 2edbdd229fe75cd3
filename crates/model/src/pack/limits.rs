//! How big a pack may be. Real packs stay far below; a file beyond is refused before it costs anything.

/// Bytes of a file.
pub const FILE_BYTES: usize = 64 << 20;
/// Elements of a file.
pub const NODES: usize = 2_000_000;
/// Elements within elements.
pub const DEPTH: usize = 96;
/// Attributes of one element.
pub const ATTRIBUTES: usize = 256;
/// Problems reported for one file; the rest is counted.
pub const PROBLEMS: usize = 500;
/// Characters of an ID.
pub const ID_LENGTH: usize = 255;
/// Composite modules within composite modules.
pub const COMPOSITION_DEPTH: usize = 32;
