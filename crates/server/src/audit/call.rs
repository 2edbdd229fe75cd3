//! What the guard knows of a call, and the row that it becomes with the answer.

use std::net::IpAddr;

use axum::extract::MatchedPath;
use http::request::Parts;
use http::{Method, StatusCode, Uri};
use watchkeeper_management::{AuditRow, clock};

use super::Trail;
use crate::listener::Peer;

/// The longest text of a cell.
const MOST_CHARACTERS: usize = 1000;
/// Parts of paths that say where and not what: there is one of each.
const PLACES: [&str; 2] = ["tenant", "workspace"];
/// The same of Azure's paths.
const AZURE_PLACES: [&str; 4] = ["subscription", "group", "provider", "workspace"];
/// How readers of JSON begin to tell which value they did not want. The value may be a secret.
const VALUES: [&str; 4] = ["invalid type: ", "invalid value: ", "unknown variant ", "invalid length "];

/// Which calls of a route are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// None: there is nothing to refuse.
    Nothing,
    /// Those that are refused.
    Refusals,
    /// All of them: they change something.
    All,
    /// All of them: they make somebody of nobody.
    SignIns,
}

/// The message of an answer that is not a success, for whoever sends the answer on.
#[derive(Debug, Clone)]
pub struct Reason(pub String);

/// A call over an API.
#[derive(Debug, Clone)]
pub struct Call {
    method: Method,
    route: Option<MatchedPath>,
    uri: Uri,
    pub(super) from: Option<IpAddr>,
}

impl Call {
    pub fn of(parts: &Parts) -> Call {
        Call {
            method: parts.method.clone(),
            route: parts.extensions.get::<MatchedPath>().cloned(),
            uri: parts.uri.clone(),
            from: parts.extensions.get::<Peer>().map(|peer| peer.0),
        }
    }

    fn route(&self) -> &str {
        self.route.as_ref().map_or(self.uri.path(), MatchedPath::as_str)
    }

    /// The row of this call with its answer; none where it is not to be written down.
    pub(super) fn row(&self, kept: Kept, trail: &Trail, status: StatusCode, message: Option<&str>) -> Option<AuditRow> {
        let known = trail.known();
        let is_refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status)
            || (kept == Kept::SignIns && status.is_client_error());
        let is_good = !status.is_client_error() && !status.is_server_error();
        let is_kept = match kept {
            Kept::Nothing => false,
            Kept::Refusals => is_refused || known.is_change == Some(true),
            Kept::All => is_refused || known.is_change != Some(false),
            Kept::SignIns => known.is_change != Some(false),
        };
        if !is_kept {
            return None;
        }
        let result = match known.result {
            Some(result) if is_good => result,
            _ if is_refused => "Refused",
            _ if is_good => "Succeeded",
            _ => "Failed",
        };
        let mut properties = known.properties;
        let reason = match (is_good, message) {
            (true, _) => known.detail,
            (false, None) if known.result.is_some() => known.detail,
            (false, message) => {
                if !known.detail.is_empty() {
                    properties.insert("detail".to_owned(), cut(&known.detail).into());
                }
                let message = message.or(status.canonical_reason()).unwrap_or_default();
                without_values(message)
            }
        };
        let (caller, caller_id, caller_type) = match known.who {
            Some(who) => (who.name, who.id, who.kind),
            None => (String::new(), String::new(), "Unknown"),
        };
        let action = if known.action.is_empty() { known.operation.to_owned() } else { known.action };
        Some(AuditRow {
            at: clock::now(),
            caller: cut(&caller),
            caller_id,
            caller_type,
            address: self.from.map(|address| address.to_string()).unwrap_or_default(),
            action: if action.is_empty() { format!("{} {}", self.method, self.route()) } else { cut(&action) },
            operation: known.operation.to_owned(),
            method: self.method.to_string(),
            route: self.route().to_owned(),
            status: status.as_u16(),
            target: cut(&if known.target.is_empty() { target(self.route(), self.uri.path()) } else { known.target }),
            result,
            reason: cut(&reason),
            properties: if properties.is_empty() {
                String::new()
            } else {
                serde_json::Value::Object(properties).to_string()
            },
            correlation_id: known.correlation_id,
            count: 1,
        })
    }
}

/// What a path names, by the parameters of its route.
fn target(route: &str, path: &str) -> String {
    let places: &[&str] = if route.starts_with("/subscriptions") { &AZURE_PLACES } else { &PLACES };
    let names = route.split('/').zip(path.split('/')).filter_map(|(wanted, part)| {
        let name = wanted.strip_prefix('{')?.strip_suffix('}')?;
        (!places.contains(&name)).then(|| {
            let pair = format!("v={}", part.replace('+', "%2B"));
            form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
        })
    });
    names.collect::<Vec<_>>().join("/")
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A message as far as it does not repeat what was sent.
fn without_values(message: &str) -> String {
    match VALUES.iter().filter_map(|word| message.find(word)).min() {
        Some(at) => format!("{}a value that cannot stand there", &message[..at]),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::audit::Who;

    fn call(method: &str, path: &str) -> Call {
        Call::of(&Request::builder().method(method).uri(path).body(()).unwrap().into_parts().0)
    }

    #[test]
    fn what_is_kept_and_what_came_of_it() {
        let row = |kept, status: u16| {
            let status = StatusCode::from_u16(status).unwrap();
            call("PUT", "/api/x").row(kept, &Trail::default(), status, None).map(|row| row.result)
        };
        for (kept, status, expected) in [
            (Kept::Nothing, 403, None),
            (Kept::Refusals, 200, None),
            (Kept::Refusals, 404, None),
            (Kept::Refusals, 403, Some("Refused")),
            (Kept::All, 204, Some("Succeeded")),
            (Kept::All, 400, Some("Failed")),
            (Kept::All, 500, Some("Failed")),
            (Kept::All, 401, Some("Refused")),
            (Kept::SignIns, 200, Some("Succeeded")),
            (Kept::SignIns, 400, Some("Refused")),
            (Kept::SignIns, 500, Some("Failed")),
        ] {
            assert_eq!(row(kept, status), expected, "{kept:?} {status}");
        }
    }

    #[test]
    fn a_handler_says_what_was_done_and_the_answer_what_came_of_it() {
        let trail = Trail::default();
        trail.is_by(Who::user("1", "ada"));
        trail.asks_for("Watchkeeper/things/write");
        trail.did("change thing", "the thing", "size = 3");
        let good = call("PUT", "/api/things/1").row(Kept::All, &trail, StatusCode::OK, None).unwrap();
        assert_eq!((good.caller.as_str(), good.caller_id.as_str(), good.caller_type), ("ada", "1", "User"));
        assert_eq!((good.action.as_str(), good.target.as_str()), ("change thing", "the thing"));
        assert_eq!((good.reason.as_str(), good.properties.as_str(), good.count), ("size = 3", "", 1));
        let message = "secret: invalid type: integer `123456`, expected a string";
        let bad = call("PUT", "/api/things/1").row(Kept::All, &trail, StatusCode::BAD_REQUEST, Some(message)).unwrap();
        assert_eq!(bad.reason, "secret: a value that cannot stand there");
        assert_eq!(bad.properties, r#"{"detail":"size = 3"}"#);
        trail.is_no_change();
        assert_eq!(call("PUT", "/").row(Kept::All, &trail, StatusCode::OK, None), None);
    }

    #[test]
    fn a_path_names_what_a_call_is_about() {
        assert_eq!(target("/api/a/{agent}/b", "/api/a/web%2001/b"), "web 01");
        assert_eq!(target("/subscriptions/{subscription}/x/{name}/{action}", "/subscriptions/1/x/a+b/c"), "a+b/c");
        assert_eq!(target("/api/packs", "/api/packs"), "");
        assert_eq!(target("/api/groups/{group}", "/api/groups/Ours"), "Ours");
        assert_eq!(
            target("/subscriptions/{subscription}/resourceGroups/{group}", "/subscriptions/1/resourceGroups/2"),
            ""
        );
        assert_eq!(cut(&"é".repeat(1001)).chars().count(), 1001);
    }
}
