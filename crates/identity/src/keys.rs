//! When the keys that sign tokens follow one another. A key is published before it signs, so that who keeps a copy of the
//! key set finds it there, and stays published until the last token that it signed has ended.

/// How long a key is published before it signs, in seconds: what clients keep a key set for.
const AHEAD: i64 = 24 * 3600;
/// Longer than any token that a key signs lives, with what clocks differ by.
const AFTER: i64 = 2 * 3600;

/// When a key was made and from when it signs; seconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTimes {
    pub id: String,
    pub created_at: i64,
    pub signs_from: i64,
}

/// The key that signs now: of those whose time has come the newest.
pub fn signing(keys: &[KeyTimes], now: i64) -> Option<&KeyTimes> {
    let begun = keys.iter().filter(|key| key.signs_from <= now);
    begun.max_by(|left, right| (left.signs_from, &left.id).cmp(&(right.signs_from, &right.id)))
}

/// From when a key has to sign that is made now, where it is time to make one: `every` seconds after the newest began.
/// The first signs at once; one that is made too late, because no server was running, too.
pub fn key_is_due(keys: &[KeyTimes], now: i64, every: i64) -> Option<i64> {
    let Some(newest) = keys.iter().map(|key| key.signs_from).max() else { return Some(now) };
    let begins = newest.saturating_add(every);
    // a short interval leaves less time to announce the key
    let ahead = AHEAD.min(every / 4);
    (begins - ahead <= now).then_some(if begins <= now { now + ahead } else { begins })
}

/// The keys that tokens may still be signed with, and those that will sign; the others can be forgotten.
pub fn published(keys: &[KeyTimes], now: i64) -> Vec<&KeyTimes> {
    let followed = |key: &KeyTimes| {
        let later = keys.iter().filter(|other| (other.signs_from, &other.id) > (key.signs_from, &key.id));
        later.map(|other| other.signs_from).min()
    };
    keys.iter().filter(|key| followed(key).is_none_or(|next| now < next + AFTER)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600;

    fn key(id: &str, signs_from: i64) -> KeyTimes {
        KeyTimes { id: id.to_owned(), created_at: signs_from - DAY, signs_from }
    }

    #[test]
    fn a_key_is_published_a_day_before_it_signs_and_until_its_tokens_ended() {
        assert_eq!(key_is_due(&[], 7, 30 * DAY), Some(7));
        let mut keys = vec![key("a", 0)];
        assert_eq!(key_is_due(&keys, 28 * DAY, 30 * DAY), None);
        assert_eq!(key_is_due(&keys, 29 * DAY, 30 * DAY), Some(30 * DAY));
        assert_eq!(key_is_due(&keys, 50 * DAY, 30 * DAY), Some(51 * DAY), "nothing ran in between");
        keys.push(key("b", 30 * DAY));
        assert_eq!(key_is_due(&keys, 29 * DAY, 30 * DAY), None);
        let ids = |now: i64| published(&keys, now).iter().map(|key| key.id.clone()).collect::<Vec<_>>();
        assert_eq!(signing(&keys, 30 * DAY - 1).unwrap().id, "a");
        assert_eq!(signing(&keys, 30 * DAY).unwrap().id, "b");
        assert_eq!(ids(29 * DAY), ["a", "b"]);
        assert_eq!(ids(30 * DAY + 7199), ["a", "b"]);
        assert_eq!(ids(30 * DAY + 7200), ["b"]);
    }

    #[test]
    fn two_keys_of_one_moment_are_in_one_order_on_every_server() {
        let keys = [key("b", 5), key("a", 5)];
        assert_eq!(signing(&keys, 5).unwrap().id, "b");
        assert!(signing(&keys, 4).is_none());
    }
}
