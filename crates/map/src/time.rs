//! Instants and windows of time.

use serde::{Serialize, Serializer};
use watchkeeper_model::civil;

/// An instant: microseconds since 1970, UTC. Written as ISO 8601 with `Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(pub i64);

impl Time {
    pub const MINUTE: i64 = 60_000_000;
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&civil::format_time(self.0))
    }
}

/// From inclusive, to exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Window {
    pub from: Time,
    pub to: Time,
}

impl Window {
    #[must_use]
    pub fn contains(&self, time: Time) -> bool {
        self.from <= time && time < self.to
    }
}
