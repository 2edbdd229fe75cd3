//! URLs: schemes, authorities, paths and query parameters.

use serde_json::{Map, Value as Tree};

use crate::functions::frame::Value;
use crate::functions::text::encode::percent_decode;

/// The parts of an absolute URL; parts it does not have are empty texts.
pub fn parse(text: &str) -> Value<'static> {
    let (before_fragment, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (address, query) = before_fragment.split_once('?').unwrap_or((before_fragment, ""));
    let (scheme, rest) = scheme_of(address);
    let (authority, path) = match rest.strip_prefix("//") {
        Some(after) => match after.find('/') {
            Some(at) => after.split_at(at),
            None => (after, ""),
        },
        None => ("", rest),
    };
    let (user, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (username, password) = user.split_once(':').unwrap_or((user, ""));
    let (host, port) = host_and_port(place);
    let mut map = Map::new();
    for (name, value) in [
        ("Scheme", scheme),
        ("Host", host),
        ("Port", port),
        ("Path", path),
        ("Username", username),
        ("Password", password),
    ] {
        map.insert(name.to_owned(), Tree::from(value));
    }
    map.insert("Query Parameters".to_owned(), Tree::Object(parameters(query)));
    map.insert("Fragment".to_owned(), Tree::from(fragment));
    Value::json(&Tree::Object(map))
}

/// `{"Query Parameters": {…}}` of the query part of a URL.
pub fn parse_query(text: &str) -> Value<'static> {
    let query = text.strip_prefix('?').unwrap_or(text);
    let mut map = Map::new();
    map.insert("Query Parameters".to_owned(), Tree::Object(parameters(query)));
    Value::json(&Tree::Object(map))
}

fn scheme_of(address: &str) -> (&str, &str) {
    match address.split_once(':') {
        Some((scheme, rest))
            if rest.starts_with("//")
                && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
                && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) =>
        {
            (scheme, rest)
        }
        _ => ("", address),
    }
}

fn host_and_port(place: &str) -> (&str, &str) {
    if place.starts_with('[')
        && let Some(end) = place.find(']')
    {
        let (host, rest) = place.split_at(end + 1);
        return (host, rest.strip_prefix(':').unwrap_or(""));
    }
    match place.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, port),
        _ => (place, ""),
    }
}

/// The last value of a repeated parameter counts.
fn parameters(query: &str) -> Map<String, Tree> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decode(key, true), Tree::String(percent_decode(value, true)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::functions::testing::{check, dynamic, string};

    #[test]
    fn a_url_comes_apart() {
        check(
            "parse_url",
            &[
                (
                    vec![string("https://me:pw@host.example:8443/a/b?x=1&y=a%20b#top")],
                    dynamic(concat!(
                        r#"{"Scheme":"https","Host":"host.example","Port":"8443","Path":"/a/b","Username":"me","#,
                        r#""Password":"pw","Query Parameters":{"x":"1","y":"a b"},"Fragment":"top"}"#
                    )),
                ),
                (
                    vec![string("http://[::1]:80")],
                    dynamic(concat!(
                        r#"{"Scheme":"http","Host":"[::1]","Port":"80","Path":"","Username":"","#,
                        r#""Password":"","Query Parameters":{},"Fragment":""}"#
                    )),
                ),
            ],
        );
        check(
            "parse_urlquery",
            &[(vec![string("k1=v1&k2=&k3")], dynamic(r#"{"Query Parameters":{"k1":"v1","k2":"","k3":""}}"#))],
        );
    }
}
