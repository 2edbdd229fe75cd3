//! What a token is asked for: the resource that it is shown to, and what people's applications ask besides.

use crate::Refusal;

/// Resources that clients ask tokens for besides this server's own address. A leading dot stands for any subdomain.
const RESOURCES: [&str; 8] = [
    "api.loganalytics.io",
    "api.loganalytics.azure.com",
    "api.monitor.azure.com",
    "monitor.azure.com",
    "management.azure.com",
    "kusto.windows.net",
    ".kusto.windows.net",
    "watchkeeper",
];
/// Scopes of OpenID Connect, which belong to no resource.
const OPENID: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// A resource, as the audience of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource(pub String);

/// The scopes of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scopes {
    /// None: OpenID Connect's alone were asked for.
    pub resource: Option<Resource>,
    /// An id_token is asked for.
    pub openid: bool,
    /// A refresh token is asked for.
    pub offline: bool,
    /// Everything that was asked for, as it was written.
    pub asked: String,
}

impl Resource {
    /// Takes a resource that this server stands for; `base` is the address that the client called.
    pub fn check(name: &str, base: &str) -> Result<Resource, Refusal> {
        let name = name.trim_end_matches('/');
        let host = host_of(name);
        let known = RESOURCES.iter().any(|known| match known.strip_prefix('.') {
            Some(_) => host.ends_with(known),
            None => host == *known,
        });
        if known || host == host_of(base) || ["localhost", "127.0.0.1", "[::1]"].contains(&host.as_str()) {
            return Ok(Resource(name.to_owned()));
        }
        Err(Refusal::unknown_resource(name))
    }
}

/// The scopes of the endpoints of version 2. Applications by themselves may ask for `RESOURCE/.default` alone; people's
/// applications for what they like of one resource, which comes to the same: roles decide.
pub fn scopes_v2(scope: &str, is_application: bool, base: &str) -> Result<Scopes, Refusal> {
    let mut scopes = Scopes { asked: scope.to_owned(), ..Scopes::default() };
    for entry in scope.split_whitespace() {
        if OPENID.contains(&entry) {
            scopes.openid |= entry == "openid";
            scopes.offline |= entry == "offline_access";
            continue;
        }
        let name = match entry.strip_suffix("/.default") {
            Some(name) => name,
            None if is_application => return Err(Refusal::default_scope_needed(entry)),
            None => entry.rsplit_once('/').map(|(name, _)| name).ok_or_else(|| Refusal::scope(entry))?,
        };
        let resource = Resource::check(name, base)?;
        if scopes.resource.as_ref().is_some_and(|known| *known != resource) {
            return Err(Refusal::two_resources(scope));
        }
        scopes.resource = Some(resource);
    }
    match (is_application, &scopes.resource) {
        (true, None) => Err(Refusal::default_scope_needed(scope)),
        _ => Ok(scopes),
    }
}

/// The parameter `resource` of the endpoints of version 1, which give people an id_token and a refresh token unasked.
pub fn scopes_v1(resource: &str, is_application: bool, base: &str) -> Result<Scopes, Refusal> {
    let resource = Resource::check(resource, base)?;
    let asked = format!("{}/.default", resource.0);
    Ok(Scopes { resource: Some(resource), openid: !is_application, offline: !is_application, asked })
}

/// The host of an address, in lower case and without its port; a name without an address is its own host.
fn host_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or_default();
    let host = if host.starts_with('[') { host.split_inclusive(']').next() } else { host.split(':').next() };
    host.unwrap_or_default().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://wk.example:8443";

    #[test]
    fn a_resource_is_known_by_its_host() {
        for (audience, known) in [
            ("https://api.loganalytics.io", true),
            ("https://monitor.azure.com", true),
            ("https://help.kusto.windows.net", true),
            ("https://wk.example:9999", true),
            ("https://localhost:1", true),
            ("https://evil.example", false),
            ("https://notkusto.windows.net.evil", false),
            ("", false),
        ] {
            assert_eq!(Resource::check(audience, BASE).is_ok(), known, "{audience}");
        }
    }

    #[test]
    fn an_application_by_itself_asks_for_the_default_scope_of_one_resource() {
        let scopes = scopes_v2("https://api.loganalytics.io//.default", true, BASE).unwrap();
        assert_eq!(scopes.resource, Some(Resource("https://api.loganalytics.io".into())));
        let number = |scope: &str| scopes_v2(scope, true, BASE).map_err(|refusal| refusal.number).err();
        assert_eq!(number("https://api.loganalytics.io/Data.Read"), Some(1_002_012));
        assert_eq!(number("openid"), Some(1_002_012));
        assert_eq!(number("https://evil.example/.default"), Some(500_011));
        let two = "https://monitor.azure.com/.default https://management.azure.com/.default";
        assert_eq!(number(two), Some(28_000));
    }

    #[test]
    fn a_persons_application_asks_for_what_it_likes_of_a_resource() {
        let scopes = scopes_v2("openid profile offline_access https://wk.example/user_impersonation", false, BASE);
        let scopes = scopes.unwrap();
        assert!(scopes.openid && scopes.offline);
        assert_eq!(scopes.resource, Some(Resource("https://wk.example".into())));
        assert_eq!(scopes_v2("openid", false, BASE).unwrap().resource, None);
        assert_eq!(scopes_v2("User.Read", false, BASE).map_err(|refusal| refusal.number), Err(70_011));
    }

    #[test]
    fn version_1_names_the_resource() {
        let scopes = scopes_v1("https://management.azure.com/", false, BASE).unwrap();
        assert_eq!((scopes.openid, scopes.asked.as_str()), (true, "https://management.azure.com/.default"));
        assert!(!scopes_v1("https://management.azure.com/", true, BASE).unwrap().offline);
    }
}
