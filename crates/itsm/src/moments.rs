//! Pages of products that cannot be asked for "behind this item": whole moments at a time.

use crate::desk::{After, Page};
use crate::work_item::WorkItem;

/// A page of what was fetched, which is all that the product has from a time on, or (`is_all` false) the first part of
/// it by time. Of a part the last moment may not be whole: it is left for the next page. `None`: more is needed.
pub fn page(after: &After, mut items: Vec<WorkItem>, is_all: bool, total: Option<u64>) -> Option<Page> {
    items.sort_by(|left, right| (left.changed_at, &left.key).cmp(&(right.changed_at, &right.key)));
    items.dedup_by(|right, left| left.key == right.key && left.changed_at == right.changed_at);
    if !is_all {
        let last = items.last().map(|item| item.changed_at);
        items.retain(|item| Some(item.changed_at) != last);
    }
    items.retain(|item| after.takes(item.changed_at, &item.key));
    if items.is_empty() && !is_all {
        return None;
    }
    Some(Page { items, more: !is_all, total })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::Position;

    fn item(changed_at: i64, key: &str) -> WorkItem {
        WorkItem { changed_at, key: key.to_owned(), ..WorkItem::default() }
    }

    #[test]
    fn a_moment_that_may_not_be_whole_is_left_for_the_next_page() {
        let items = vec![item(2, "b"), item(1, "c"), item(2, "a"), item(1, "c")];
        let keys = |page: Page| page.items.iter().map(|item| item.key.clone()).collect::<Vec<_>>().concat();
        let all = page(&After::Time(1), items.clone(), true, None).unwrap();
        assert!(!all.more);
        assert_eq!(keys(all), "cab");
        let part = page(&After::Time(1), items.clone(), false, Some(9)).unwrap();
        assert!(part.more);
        assert_eq!(keys(part), "c");
        let behind = After::Item(Position { changed_at: 1, key: "c".to_owned() });
        assert_eq!(page(&behind, items.clone(), false, None), None);
        assert_eq!(keys(page(&behind, items, true, None).unwrap()), "ab");
    }
}
