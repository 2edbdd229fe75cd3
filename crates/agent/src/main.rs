//! The binary `watchkeeper-agent`.
fn main() {}
