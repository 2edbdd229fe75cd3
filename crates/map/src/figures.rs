//! What is counted of a link, and how two ends of one connection are told by it.

/// Fewer bytes than this say nothing about which connections belong together.
const TELLING_BYTES: u64 = 1024;
/// Without any known address, fewer bytes than this say nothing.
const PROVING_BYTES: u64 = 4096;
/// Two ends that look at their minutes at different times may differ by this part: one of twenty.
const TOLERANCE: u64 = 20;

/// Counts of a link over the window, as one end has them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    pub established: u64,
    pub terminated: u64,
    pub failed: u64,
    /// Open at the end of the last minute.
    pub live: u64,
    pub sent: u64,
    pub received: u64,
    pub responses: u64,
    /// Milliseconds, of all responses together.
    pub response_time_sum: u64,
    /// Milliseconds.
    pub response_time_max: u64,
}

impl Figures {
    pub fn add(&mut self, other: &Figures) {
        self.established += other.established;
        self.terminated += other.terminated;
        self.failed += other.failed;
        self.live += other.live;
        self.sent += other.sent;
        self.received += other.received;
        self.responses += other.responses;
        self.response_time_sum += other.response_time_sum;
        self.response_time_max = self.response_time_max.max(other.response_time_max);
    }

    /// What is left of it without another's part.
    pub(crate) fn subtract(&mut self, other: &Figures) {
        self.established = self.established.saturating_sub(other.established);
        self.terminated = self.terminated.saturating_sub(other.terminated);
        self.live = self.live.saturating_sub(other.live);
        self.sent = self.sent.saturating_sub(other.sent);
        self.received = self.received.saturating_sub(other.received);
        self.responses = self.responses.saturating_sub(other.responses);
        self.response_time_sum = self.response_time_sum.saturating_sub(other.response_time_sum);
    }

    /// The same connection as its other end sees it.
    pub(crate) fn mirrored(&self) -> Figures {
        Figures { sent: self.received, received: self.sent, ..*self }
    }

    /// Whether these may be the two ends of the same connections: enough bytes, and as many of everything, up to a
    /// twentieth for ends that count their minutes at different times.
    pub(crate) fn mirrors(&self, other: &Figures) -> bool {
        let other = other.mirrored();
        self.sent + self.received >= TELLING_BYTES
            && close(self.established, other.established, 1)
            && close(self.sent, other.sent, 0)
            && close(self.received, other.received, 0)
    }

    /// Whether these are the two ends of the same connections where no address says so: exactly as many of everything.
    pub(crate) fn proves(&self, other: &Figures) -> bool {
        let other = other.mirrored();
        self.sent + self.received >= PROVING_BYTES
            && self.sent > 0
            && self.received > 0
            && (self.established, self.terminated, self.sent, self.received)
                == (other.established, other.terminated, other.sent, other.received)
    }
}

fn close(one: u64, other: u64, least: u64) -> bool {
    one.abs_diff(other) <= (one.max(other) / TOLERANCE).max(least)
}
