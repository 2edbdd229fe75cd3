//! Sums that are made before somebody asks for a map: those of the last hour as its minutes settle, and those of a day,
//! one hour in a turn, so that a start does not read a day's rows at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use watchkeeper_map::Time;
use watchkeeper_query::QueryError;

use super::rollup::{LONG, SETTLED, STEP, Step};
use super::{connection_source, now, port_source};
use crate::queries::{Origin, Queries};

const TURN: Duration = Duration::from_secs(20);
/// So many hours are kept at hand.
const HOURS: i64 = 24;

/// Keeps the sums of the last day at hand until it is told to stop.
pub async fn keep_up(queries: Arc<Queries>, stop: CancellationToken) {
    let mut turns = tokio::time::interval(TURN);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = turns.tick() => {}
        }
        if let Err(error) = turn(&queries).await {
            tracing::warn!(%error, "the sums of the map could not be made ahead; maps are made from the rows themselves");
        }
    }
}

async fn turn(queries: &Queries) -> Result<(), QueryError> {
    let origin = Origin {
        request_id: String::new(),
        activity_id: Uuid::new_v4(),
        subject: "map".to_owned(),
        user: String::new(),
        application: "sums of the map".to_owned(),
    };
    connection_source(queries).keep_at_hand(queries, now(), &origin).await?;
    port_source(queries).keep_at_hand(queries, now(), &origin).await
}

/// Short steps of the last hour that have settled, and whole hours before, the youngest first.
pub(super) fn wanted(now: Time) -> (Vec<Step>, Vec<Step>) {
    let settled = now.0 - SETTLED;
    let last = settled.div_euclid(STEP) * STEP;
    let first = (now.0 - LONG).div_euclid(STEP) * STEP;
    let short = (first / STEP..last / STEP).map(|at| (at * STEP, STEP)).collect();
    let hour = settled.div_euclid(LONG) * LONG;
    (short, (1..=HOURS).map(|back| (hour - back * LONG, LONG)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_hour_in_short_steps_and_a_day_of_hours_have_settled() {
        let now = Time(30 * LONG + 7 * Time::MINUTE);
        let (short, hours) = wanted(now);
        assert_eq!((short.first(), short.last()), (Some(&(29 * LONG + STEP, STEP)), Some(&(30 * LONG - STEP, STEP))));
        assert_eq!((hours.len(), hours.first(), hours.last()), (24, Some(&(29 * LONG, LONG)), Some(&(6 * LONG, LONG))));
        // three minutes after the hour its last rows are on their way
        let (short, hours) = wanted(Time(30 * LONG + 3 * Time::MINUTE));
        assert_eq!(short.last(), Some(&(30 * LONG - 2 * STEP, STEP)));
        assert_eq!(hours.first(), Some(&(28 * LONG, LONG)));
    }
}
