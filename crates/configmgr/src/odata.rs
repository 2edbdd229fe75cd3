//! OData: the text of a question, and lists page by page. Pages follow a key in its order, so that what changes meanwhile
//! does not move others out of sight; a server that cuts pages itself (`@odata.nextLink`) is followed.

use std::marker::PhantomData;
use std::sync::atomic::Ordering;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::client::Client;
use crate::problem::{Part, Problem};

/// A list with more pages than this does not end.
const MOST_PAGES: usize = 1_000_000;

/// Where a record stands in the order of its list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Number(u64),
    Text(String),
}

impl Key {
    fn literal(&self) -> String {
        match self {
            Key::Number(number) => number.to_string(),
            Key::Text(text) => quoted(text),
        }
    }
}

/// A record of a class.
pub trait Record: DeserializeOwned {
    /// The class, as the service writes it.
    const CLASS: &'static str;
    /// The properties that are asked for.
    const SELECT: &'static str;
    /// The property that orders the records.
    const KEY: &'static str;

    /// Its value.
    fn key(&self) -> Key;
}

/// A text in a question.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// `CLASS?$filter=…&…`, escaped.
pub(crate) fn question(class: &str, options: &[(&str, &str)]) -> String {
    let mut text = format!("wmi/{class}");
    for (index, (name, value)) in options.iter().filter(|(_, value)| !value.is_empty()).enumerate() {
        text.push(if index == 0 { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        for byte in value.bytes() {
            match byte {
                b'A'..=b'Z'
                | b'a'..=b'z'
                | b'0'..=b'9'
                | b'-'
                | b'.'
                | b'_'
                | b'~'
                | b'\''
                | b'('
                | b')'
                | b','
                | b'/' => {
                    text.push(char::from(byte));
                }
                _ => text.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    text
}

#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Page<T> {
    value: Vec<T>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

/// A list that is being read, page by page.
pub struct Pages<'a, T> {
    client: &'a Client,
    filter: String,
    /// How many there should be, where that is known.
    expected: Option<u64>,
    last: Option<Key>,
    next: Option<String>,
    /// Of the question whose pages are being read.
    count: u64,
    total: u64,
    pages: usize,
    ended: bool,
    /// The service was asked to sort.
    sorted: bool,
    records: PhantomData<T>,
}

impl Client {
    /// The records of a class for which a condition holds.
    pub(crate) fn pages<T: Record>(&self, filter: String, expected: Option<u64>) -> Pages<'_, T> {
        Pages {
            client: self,
            filter,
            expected,
            last: None,
            next: None,
            count: 0,
            total: 0,
            pages: 0,
            ended: false,
            sorted: self.sorts.load(Ordering::Relaxed),
            records: PhantomData,
        }
    }

    /// A list that is short.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        class: &str,
        filter: &str,
        select: &str,
    ) -> Result<Vec<T>, Problem> {
        let mut all = Vec::new();
        let mut bytes = self.get(&question(class, &[("$filter", filter), ("$select", select)])).await?;
        for _ in 0..MOST_PAGES {
            let page: Page<T> = read(&bytes, class)?;
            all.extend(page.value);
            let Some(next) = page.next else { return Ok(all) };
            bytes = self.get_at(&self.own_path(&next)?).await?;
        }
        Err(endless(class))
    }

    /// The path of a next page: the sign-in is for this server alone.
    fn own_path(&self, link: &str) -> Result<String, Problem> {
        let elsewhere = || {
            let message = format!("{} answers a list whose next page is elsewhere, at {link:?}", self.place.origin());
            Problem::new(Part::Answer, message, "look whether a proxy stands in front of the service")
        };
        let origin = self.place.origin();
        let path = match link.get(..origin.len()) {
            Some(start) if start.eq_ignore_ascii_case(&origin) => link.get(origin.len()..).unwrap_or_default(),
            _ if link.starts_with('/') && !link.starts_with("//") => link,
            _ => return Err(elsewhere()),
        };
        path.starts_with('/').then(|| path.replace(' ', "%20")).ok_or_else(elsewhere)
    }
}

impl<T: Record> Pages<'_, T> {
    /// The next records; none at the end.
    ///
    /// # Errors
    /// Why the list cannot be read to its end.
    pub async fn next(&mut self) -> Result<Option<Vec<T>>, Problem> {
        while !self.ended {
            self.pages += 1;
            if self.pages > MOST_PAGES {
                return Err(endless(T::CLASS));
            }
            let page = match self.ask().await {
                Ok(page) => page,
                // a service that does not sort is read from the beginning in the pages that it makes
                Err(problem) if self.sorted && self.last.is_none() && does_not_sort(&problem) => {
                    self.sorted = false;
                    self.client.sorts.store(false, Ordering::Relaxed);
                    continue;
                }
                Err(problem) => return Err(problem),
            };
            let records = self.take(page)?;
            if !records.is_empty() {
                return Ok(Some(records));
            }
        }
        Ok(None)
    }

    async fn ask(&mut self) -> Result<Page<T>, Problem> {
        let bytes = match self.next.take() {
            Some(link) => {
                let path = self.client.own_path(&link)?;
                self.client.get_at(&path).await?
            }
            None => {
                self.count = 0;
                self.client.get(&self.question()).await?
            }
        };
        read(&bytes, T::CLASS)
    }

    fn question(&self) -> String {
        if !self.sorted {
            return question(T::CLASS, &[("$filter", &self.filter), ("$select", T::SELECT)]);
        }
        let after = self.last.as_ref().map(|key| format!("{} gt {}", T::KEY, key.literal()));
        let conditions: Vec<&str> = [self.filter.as_str(), after.as_deref().unwrap_or_default()]
            .into_iter()
            .filter(|one| !one.is_empty())
            .collect();
        let (filter, page) = (conditions.join(" and "), self.client.settings.page.to_string());
        question(T::CLASS, &[("$filter", &filter), ("$orderby", T::KEY), ("$top", &page), ("$select", T::SELECT)])
    }

    fn take(&mut self, page: Page<T>) -> Result<Vec<T>, Problem> {
        if self.sorted {
            for record in &page.value {
                let key = record.key();
                if self.last.as_ref().is_some_and(|last| *last >= key) {
                    let message = format!("{} are not in the order of {} that was asked for", T::CLASS, T::KEY);
                    return Err(Problem::new(Part::Answer, message, "nothing was imported; it is tried again"));
                }
                self.last = Some(key);
            }
        }
        let rows = u64::try_from(page.value.len()).unwrap_or(u64::MAX);
        self.count += rows;
        self.total += rows;
        self.next = page.next;
        if self.next.is_none() {
            // a page that came short may have been cut: only an empty one, or the number that there are, is the end
            let is_whole = self.expected.is_some_and(|expected| self.total == expected);
            self.ended = !self.sorted || self.count == 0 || is_whole;
        }
        Ok(page.value)
    }
}

fn does_not_sort(problem: &Problem) -> bool {
    matches!(problem.status, Some(400 | 404 | 501)) && problem.message.to_ascii_lowercase().contains("orderby")
}

fn read<T: DeserializeOwned>(bytes: &[u8], class: &str) -> Result<Page<T>, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        let message = format!("the list of {class} is not one that can be read ({error})");
        Problem::new(Part::Answer, message, "look whether the address leads to an administration service")
    })
}

fn endless(class: &str) -> Problem {
    let message = format!("the list of {class} has no end");
    Problem::new(Part::Answer, message, "look at adminservice.log on the SMS Provider")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_escaped() {
        let filter = format!("Name eq {}", quoted("O'Neill & Söhne"));
        assert_eq!(
            question("SMS_Collection", &[("$filter", &filter), ("$orderby", ""), ("$top", "5")]),
            "wmi/SMS_Collection?$filter=Name%20eq%20'O''Neill%20%26%20S%C3%B6hne'&$top=5"
        );
        assert_eq!(question("SMS_Site", &[]), "wmi/SMS_Site");
    }
}
