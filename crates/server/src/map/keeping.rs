//! Sums that are made before somebody asks for a map: those of the last hour as its minutes settle, and those of a day,
//! one hour in a turn, so that a start does not read a day's rows at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use watchkeeper_map::Time;
use watchkeeper_query::QueryError;

use super::rollup::{FINE, LONG, SETTLED, STEP, Step};
use super::{connection_source, inventory, now, port_source};
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
    port_source(queries).keep_at_hand(queries, now(), &origin).await?;
    inventory::keep_at_hand(queries, now(), &origin).await
}

/// Steps of the last hour that have settled, the last minutes each by itself, of which the next short step is made; and
/// whole hours before, the youngest first.
pub(super) fn wanted(now: Time) -> (Vec<Step>, Vec<Step>) {
    let settled = now.0 - SETTLED;
    let last = settled.div_euclid(STEP) * STEP;
    let first = (now.0 - LONG).div_euclid(STEP) * STEP;
    let mut steps: Vec<Step> = (first / STEP..last / STEP).map(|at| (at * STEP, STEP)).collect();
    steps.extend((last / FINE..settled.div_euclid(FINE)).map(|at| (at * FINE, FINE)));
    let hour = settled.div_euclid(LONG) * LONG;
    (steps, (1..=HOURS).map(|back| (hour - back * LONG, LONG)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_hour_in_short_steps_and_a_day_of_hours_have_settled() {
        let now = Time(30 * LONG + 9 * Time::MINUTE);
        let (steps, hours) = wanted(now);
        let minute = |at| (30 * LONG + at * FINE, FINE);
        assert_eq!((steps.first(), steps.len()), (Some(&(29 * LONG + STEP, STEP)), 14));
        assert_eq!(steps[11..], [(30 * LONG, STEP), minute(5), minute(6)]);
        assert_eq!((hours.len(), hours.first(), hours.last()), (24, Some(&(29 * LONG, LONG)), Some(&(6 * LONG, LONG))));
        // a minute after the hour its last rows are on their way
        let (steps, hours) = wanted(Time(30 * LONG + Time::MINUTE));
        assert_eq!(steps.last(), Some(&(30 * LONG - 2 * FINE, FINE)));
        assert_eq!(hours.first(), Some(&(28 * LONG, LONG)));
    }
}
