//! Memory of all running queries together: each may use its fair share of the engine's limit, which shrinks while
//! others run, so that one query that wants everything fails by itself and the others go on.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::resources_datafusion_err;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};

/// What the queries of an engine share.
#[derive(Debug)]
pub(super) struct Shares {
    total: usize,
    running: AtomicUsize,
}

impl Shares {
    pub fn new(total: usize) -> Arc<Shares> {
        Arc::new(Shares { total, running: AtomicUsize::new(0) })
    }

    /// The memory of one more query; it counts as running until the pool is dropped.
    pub fn pool(self: &Arc<Shares>) -> Arc<dyn MemoryPool> {
        self.running.fetch_add(1, Ordering::Relaxed);
        Arc::new(QueryPool { shares: Arc::clone(self), own: FairSpillPool::new(self.total) })
    }

    fn share(&self) -> usize {
        self.total / self.running.load(Ordering::Relaxed).max(1)
    }
}

/// The memory of one query.
#[derive(Debug)]
struct QueryPool {
    shares: Arc<Shares>,
    /// Divides it among the query's own operators, those that can spill and the others.
    own: FairSpillPool,
}

impl Drop for QueryPool {
    fn drop(&mut self) {
        self.shares.running.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Display for QueryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the query's share of {} bytes", self.shares.share())
    }
}

impl MemoryPool for QueryPool {
    fn name(&self) -> &str {
        "query"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.own.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.own.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.own.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.own.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let (share, reserved) = (self.shares.share(), self.own.reserved());
        if reserved.saturating_add(additional) > share {
            return Err(resources_datafusion_err!(
                "{} wants {additional} bytes more than the {reserved} that the query has, of a share of {share}",
                reservation.consumer().name()
            ));
        }
        self.own.try_grow(reservation, additional)
    }

    fn reserved(&self) -> usize {
        self.own.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.shares.share())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_query_halves_the_share_until_it_ends() {
        let shares = Shares::new(1000);
        let first = shares.pool();
        let one = MemoryConsumer::new("one").register(&first);
        one.try_grow(400).expect("alone it may have everything");
        let second = shares.pool();
        let two = MemoryConsumer::new("two").register(&second);
        two.try_grow(500).expect("its half");
        let refused = one.try_grow(200).expect_err("400 and 200 are more than half").to_string();
        assert!(refused.contains("one wants 200 bytes more than the 400"), "{refused}");
        drop((two, second));
        one.try_grow(600).expect("alone again");
    }
}
