//! Two servers over one operational store share the work of a pool, and the survivor takes over.
#![allow(clippy::unwrap_used)]

#[path = "../../state/tests/stores/mod.rs"]
mod stores;

use std::time::Duration;

use watchkeeper_management::pools::{BUILT_IN, PoolMember, SHARES};
use watchkeeper_state::State;

const SECOND: i64 = 1_000_000;

#[tokio::test]
async fn the_work_of_a_dead_member_moves_when_its_leases_end_and_nobody_does_it_twice() {
    stores::each(|place| async move {
        let mut members = Vec::new();
        for name in ["one", "two"] {
            let state = State::open(&place.url, &place.key).await.unwrap();
            members.push(PoolMember::new(state, name, name, Duration::from_secs(30)));
        }
        let state = State::open(&place.url, &place.key).await.unwrap();
        let [one, two] = members.as_mut_slice() else { panic!() };
        one.join().await.unwrap();
        two.join().await.unwrap();
        let pools = state.pools().await.unwrap();
        assert_eq!(pools.len(), BUILT_IN.len());
        assert!(pools.iter().all(|pool| pool.members == ["one", "two"]));
        let pool = pools[0].pool_id.clone();

        let start = state.clock().await.unwrap();
        let at = |seconds: i64| start + seconds * SECOND;
        one.turn(at(0)).await.unwrap();
        two.turn(at(0)).await.unwrap();
        let all = SHARES as usize;
        assert_eq!(one.shares(&pool) + two.shares(&pool), all);
        assert!(one.shares(&pool) > 4 && two.shares(&pool) > 4, "{}", one.shares(&pool));
        let work: Vec<String> = (0..500).map(|number| format!("object {number}")).collect();
        for item in &work {
            assert!(one.holds(&pool, item, at(1)) != two.holds(&pool, item, at(1)), "{item}: exactly one");
        }
        let pool_name = &pools[0].name;
        assert_eq!(one.held().shares().filter(|(name, _)| name == pool_name).count(), one.shares(&pool));
        for item in &work {
            assert_eq!(one.held().since(pool_name, item).is_some(), one.holds(&pool, item, at(1)), "{item}");
            assert_eq!(one.held().since("removed since", item), one.held().since(BUILT_IN[0], item), "{item}");
        }
        let before = two.held().clone();
        // one dies; two goes on and takes everything when the leases end, not before
        let shared = two.shares(&pool);
        two.turn(at(20)).await.unwrap();
        assert_eq!(two.shares(&pool), shared);
        assert!(two.held().is_same(&before), "since the same time");
        assert!(!two.held().has_lapsed());
        two.turn(at(31)).await.unwrap();
        assert_eq!(two.shares(&pool), all);
        assert!(work.iter().all(|item| two.holds(&pool, item, at(32))));
        assert!(!work.iter().any(|item| one.holds(&pool, item, at(32))), "its time is up, though it may not know");
        // one returns and gets its part again, in turns
        one.turn(at(40)).await.unwrap();
        assert_eq!(one.shares(&pool), 0);
        two.turn(at(41)).await.unwrap();
        one.turn(at(42)).await.unwrap();
        assert_eq!((one.shares(&pool), two.shares(&pool)), (all - shared, shared));
        // a server that stops in order leaves nothing waiting
        two.leave().await.unwrap();
        one.turn(at(43)).await.unwrap();
        assert_eq!(one.shares(&pool), all);
    })
    .await;
}
