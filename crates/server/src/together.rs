//! What many write at one time goes to the store in one transaction: each waits until its own is there.

use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

type Waiting<T, E> = Vec<(T, oneshot::Sender<Result<(), E>>)>;

/// Items that wait to be written.
pub struct Together<T, E> {
    waiting: Mutex<Waiting<T, E>>,
    turn: tokio::sync::Mutex<()>,
}

impl<T, E> Default for Together<T, E> {
    fn default() -> Self {
        Self { waiting: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }
}

impl<T, E: Clone> Together<T, E> {
    /// Returns when `write` was called with this item among others, with what became of all of them. Whoever has the turn
    /// writes what has gathered; when it is given up in the middle, those that waited with it are told by `lost`.
    pub async fn write<W: Future<Output = Result<(), E>>>(
        &self,
        item: T,
        write: impl FnOnce(Vec<T>) -> W,
        lost: impl FnOnce() -> E,
    ) -> Result<(), E> {
        let (done, told) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push((item, done));
        let turn = self.turn.lock().await;
        let gathered = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        if !gathered.is_empty() {
            let (items, tell): (Vec<T>, Vec<_>) = gathered.into_iter().unzip();
            let written = write(items).await;
            for each in tell {
                let _ = each.send(written.clone());
            }
        }
        drop(turn);
        told.await.unwrap_or_else(|_| Err(lost()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn many_items_are_written_in_few_turns_and_each_is_told_what_became_of_it() {
        let (together, turns, sum) = (Together::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        let (turns, sum) = (&turns, &sum);
        let write = |items: Vec<usize>| async move {
            turns.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            sum.fetch_add(items.iter().sum(), Ordering::Relaxed);
            if items.contains(&700) { Err("seven hundred") } else { Ok(()) }
        };
        let all = (1..=1000_usize).map(|number| together.write(number, write, || "lost"));
        let results = futures::future::join_all(all).await;
        assert_eq!(sum.load(Ordering::Relaxed), 500_500);
        assert!(turns.load(Ordering::Relaxed) < 10);
        assert_eq!(results[699], Err("seven hundred"));
        assert!(results[0].is_ok());
    }

    #[tokio::test]
    async fn who_waited_with_one_that_was_given_up_is_told() {
        let together = Arc::new(Together::<u8, &str>::default());
        let first = tokio::spawn({
            let together = Arc::clone(&together);
            async move { together.write(1, |_| std::future::pending(), || "lost").await }
        });
        while together.turn.try_lock().is_ok() {
            tokio::task::yield_now().await;
        }
        let second = together.write(2, |_| std::future::ready(Ok(())), || "lost");
        first.abort();
        assert_eq!(second.await, Ok(()), "it was not among those that the first had taken");
    }
}
