//! Encoded queries (ServiceNow, "Encoded query strings").

use crate::desk::After;
use crate::time::utc_text;

/// Records behind a place in the order of time of change and key. Times have whole seconds: of a place's own second
/// come those with a greater key, and then all later ones.
pub fn changed(after: &After) -> String {
    let order = "^ORDERBYsys_updated_on^ORDERBYsys_id";
    match after {
        After::Time(at) => format!("sys_updated_on>={}{order}", utc_text(*at)),
        After::Item(last) => {
            let at = utc_text(last.changed_at);
            format!("sys_updated_on={at}^sys_id>{}^NQsys_updated_on>{at}{order}", last.key)
        }
    }
}

/// A value within an encoded query: `^` would begin another condition.
pub fn value(text: &str) -> String {
    text.replace('^', "^^")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::Position;

    #[test]
    fn a_place_is_a_second_and_a_key() {
        assert_eq!(changed(&After::Time(0)), "sys_updated_on>=1970-01-01 00:00:00^ORDERBYsys_updated_on^ORDERBYsys_id");
        let after = After::Item(Position { changed_at: 1_000_000, key: "ab".to_owned() });
        assert_eq!(
            changed(&after),
            "sys_updated_on=1970-01-01 00:00:01^sys_id>ab^NQsys_updated_on>1970-01-01 00:00:01\
             ^ORDERBYsys_updated_on^ORDERBYsys_id"
        );
        assert_eq!(value("a^b"), "a^^b");
    }
}
