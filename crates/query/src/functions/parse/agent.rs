//! What a user agent text says of browser, operating system and device. The rules know the common ones; all else is
//! `Other`.

use serde_json::{Map, Value as Tree};

use crate::functions::frame::{Call, Value, json};
use crate::functions::text::item_text;

/// The word before the version, and the family. The first that is found counts, so that browsers that also name
/// others in their text come first.
const BROWSERS: &[(&str, &str)] = &[
    ("AdobeAIR/", "AdobeAIR"),
    ("Googlebot/", "Googlebot"),
    ("bingbot/", "bingbot"),
    ("EdgA/", "Edge Mobile"),
    ("EdgiOS/", "Edge Mobile"),
    ("Edg/", "Edge"),
    ("Edge/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("YaBrowser/", "Yandex Browser"),
    ("CriOS/", "Chrome Mobile iOS"),
    ("FxiOS/", "Firefox iOS"),
    ("HeadlessChrome/", "HeadlessChrome"),
    ("Electron/", "Electron"),
    ("WindowsPowerShell/", "WindowsPowerShell"),
    ("PowerShell/", "PowerShell"),
    ("Thunderbird/", "Thunderbird"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("MSIE ", "IE"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
    ("python-requests/", "Python Requests"),
    ("Python-urllib/", "Python-urllib"),
    ("PostmanRuntime/", "PostmanRuntime"),
    ("okhttp/", "okhttp"),
    ("Go-http-client/", "Go-http-client"),
    ("Apache-HttpClient/", "Apache-HttpClient"),
    ("Java/", "Java"),
];

/// What stands after `Windows NT `, and the release.
const WINDOWS: &[(&str, &str, &str)] = &[
    ("10.0", "10", ""),
    ("6.3", "8", "1"),
    ("6.2", "8", ""),
    ("6.1", "7", ""),
    ("6.0", "Vista", ""),
    ("5.2", "XP", ""),
    ("5.1", "XP", ""),
    ("5.0", "2000", ""),
];

/// A family with up to four numbers of its version.
struct Product {
    family: &'static str,
    version: Vec<String>,
}

fn product(family: &'static str, version: &str) -> Product {
    Product { family, version: version.split(['.', '_']).filter(|part| !part.is_empty()).map(str::to_owned).collect() }
}

/// The digits and separators after `word`.
fn version_after<'a>(agent: &'a str, word: &str) -> Option<&'a str> {
    let rest = &agent[agent.find(word)? + word.len()..];
    let end = rest.find(|found: char| !found.is_ascii_digit() && found != '.' && found != '_').unwrap_or(rest.len());
    Some(&rest[..end])
}

fn browser(agent: &str) -> Product {
    if agent.contains("SymbianOS") && agent.contains("Nokia") {
        return product("Nokia OSS Browser", version_after(agent, "Series60/").unwrap_or(""));
    }
    for (word, family) in BROWSERS {
        if let Some(version) = version_after(agent, word) {
            let mobile = agent.contains("Mobile") || agent.contains("Tablet");
            let family = match *family {
                "Chrome" if agent.contains("; wv)") => "Chrome Mobile WebView",
                "Chrome" if agent.contains("Mobile") => "Chrome Mobile",
                "Firefox" if mobile => "Firefox Mobile",
                family => family,
            };
            return product(family, version);
        }
    }
    if agent.contains("Trident/") {
        return product("IE", version_after(agent, "rv:").unwrap_or(""));
    }
    match version_after(agent, "Version/") {
        Some(version) if agent.contains("Safari/") => {
            let mobile = agent.contains("Mobile/");
            product(if mobile { "Mobile Safari" } else { "Safari" }, version)
        }
        _ => product("Other", ""),
    }
}

fn system(agent: &str) -> Product {
    if let Some(found) = version_after(agent, "Windows NT ") {
        let release = WINDOWS.iter().find(|(version, _, _)| *version == found);
        let (major, minor) = release.map_or((found, ""), |(_, major, minor)| (*major, *minor));
        let mut windows = product("Windows", "");
        windows.version = vec![major.to_owned(), minor.to_owned()];
        return windows;
    }
    if agent.contains("iPhone") || agent.contains("iPad") || agent.contains("iPod") {
        let version = version_after(agent, " OS ").filter(|version| !version.is_empty());
        return product("iOS", version.unwrap_or(""));
    }
    for (word, family) in [
        ("Android ", "Android"),
        ("Mac OS X ", "Mac OS X"),
        ("SymbianOS/", "Symbian OS"),
        ("Windows Phone ", "Windows Phone"),
        ("CrOS x86_64 ", "Chrome OS"),
        ("Ubuntu/", "Ubuntu"),
    ] {
        if let Some(version) = version_after(agent, word) {
            return product(family, version);
        }
    }
    for family in ["Ubuntu", "Fedora", "FreeBSD", "Linux"] {
        if agent.contains(family) {
            return product(family, "");
        }
    }
    product("Other", "")
}

/// Family, brand and model.
fn device(agent: &str) -> (String, String, String) {
    let apple = |name: &str| (name.to_owned(), "Apple".to_owned(), name.to_owned());
    for (word, name) in [("iPhone", "iPhone"), ("iPad", "iPad"), ("iPod", "iPod"), ("Macintosh", "Mac")] {
        if agent.contains(word) {
            return apple(name);
        }
    }
    if let Some(at) = agent.find("Nokia") {
        let rest = &agent[at + 5..];
        let model = &rest[..rest.find(['/', ' ', ';', ')']).unwrap_or(rest.len())];
        let series = model.split('-').next().unwrap_or(model);
        return (format!("Nokia {series}"), "Nokia".to_owned(), model.to_owned());
    }
    if let Some(at) = agent.find("Android ") {
        let rest = &agent[at..];
        let inner = &rest[..rest.find(')').unwrap_or(rest.len())];
        let model = inner
            .split(';')
            .skip(1)
            .map(|part| part.split(" Build").next().unwrap_or(part).trim())
            .filter(|part| !part.is_empty() && *part != "wv")
            .last();
        if let Some(model) = model {
            let brand = match model {
                model if model.starts_with("SM-") || model.starts_with("GT-") => "Samsung",
                model if model.starts_with("Pixel") || model.starts_with("Nexus") => "Google",
                model if model.starts_with("Redmi") || model.starts_with("Mi ") => "XiaoMi",
                _ => "Generic_Android",
            };
            let family = if brand == "Samsung" { format!("Samsung {model}") } else { model.to_owned() };
            return (family, brand.to_owned(), model.to_owned());
        }
    }
    if agent.contains("Googlebot") || agent.contains("bingbot") {
        return ("Spider".to_owned(), "Spider".to_owned(), "Desktop".to_owned());
    }
    ("Other".to_owned(), String::new(), String::new())
}

fn versions(product: &Product, names: &[&str]) -> Tree {
    let mut map = Map::new();
    map.insert("Family".to_owned(), Tree::from(product.family));
    for (place, name) in names.iter().enumerate() {
        let part = product.version.get(place).cloned().unwrap_or_default();
        map.insert((*name).to_owned(), Tree::from(part));
    }
    Tree::Object(map)
}

/// `look_for` is one of `browser`, `os` and `device` or an array of them; without it all three are given.
pub fn parse_user_agent<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let agent = args[0].text();
    let wanted: Vec<String> = match args.get(1) {
        None => ["browser", "os", "device"].map(str::to_owned).to_vec(),
        Some(look_for) => match json::array_of(look_for) {
            Some(items) => items.iter().map(item_text).collect(),
            None => vec![super::text_of(look_for).into_owned()],
        },
    };
    let wants = |name: &str| wanted.iter().any(|want| want.eq_ignore_ascii_case(name));
    let mut map = Map::new();
    if wants("browser") {
        let names = ["MajorVersion", "MinorVersion", "Patch"];
        map.insert("Browser".to_owned(), versions(&browser(agent), &names));
    }
    if wants("os") {
        let names = ["MajorVersion", "MinorVersion", "Patch", "PatchMinor"];
        map.insert("OperatingSystem".to_owned(), versions(&system(agent), &names));
    }
    if wants("device") {
        let (family, brand, model) = device(agent);
        let mut device = Map::new();
        device.insert("Family".to_owned(), Tree::from(family));
        device.insert("Brand".to_owned(), Tree::from(brand));
        device.insert("Model".to_owned(), Tree::from(model));
        map.insert("Device".to_owned(), Tree::Object(device));
    }
    if map.is_empty() {
        return Value::Null;
    }
    Value::json(&Tree::Object(map))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_agents_are_known() {
        for (agent, want_browser, want_system, want_device) in [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36 Edg/120.0.2210.91",
                "Edge 120",
                "Windows 10",
                "Other",
            ),
            ("Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko", "IE 11", "Windows 7", "Other"),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Mobile/15E148 Safari/604.1",
                "Mobile Safari 17",
                "iOS 17",
                "iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 13; SM-G991B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/112.0.0.0 Mobile Safari/537.36",
                "Chrome Mobile 112",
                "Android 13",
                "Samsung SM-G991B",
            ),
            (
                "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0",
                "Firefox 115",
                "Ubuntu ",
                "Other",
            ),
            ("curl/8.5.0", "curl 8", "Other ", "Other"),
            ("", "Other ", "Other ", "Other"),
        ] {
            let shown = |product: Product| {
                format!("{} {}", product.family, product.version.first().cloned().unwrap_or_default())
            };
            assert_eq!(shown(browser(agent)), want_browser, "{agent}");
            assert_eq!(shown(system(agent)), want_system, "{agent}");
            assert_eq!(device(agent).0, want_device, "{agent}");
        }
    }
}
