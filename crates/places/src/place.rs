//! Places of addresses, from a MaxMind DB file: GeoLite2 and GeoIP2 (Country, City), DB-IP Lite and IP2Location LITE have
//! the same records (MaxMind DB File Format Specification; GeoIP2 City and Country web service, "Response body").

use std::net::IpAddr;
use std::path::Path;

use maxminddb::Reader;
use serde::Deserialize;

use crate::FileError;

/// Records that are looked at to see whether a database has countries.
const LOOKED_AT: usize = 4096;

/// Where an address is, as far as the database says it. Names are in English.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Place {
    pub country: String,
    /// ISO 3166-1, two letters.
    pub country_code: String,
    pub state: String,
    pub city: String,
    /// Degrees.
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
}

/// A database of places.
pub struct Places {
    reader: Reader<Vec<u8>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Record<'a> {
    #[serde(borrow)]
    country: Named<'a>,
    #[serde(borrow)]
    subdivisions: Vec<Named<'a>>,
    #[serde(borrow)]
    city: Named<'a>,
    location: Location,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named<'a> {
    iso_code: &'a str,
    #[serde(borrow)]
    names: Names<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Names<'a> {
    en: &'a str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Location {
    latitude: Option<f64>,
    longitude: Option<f64>,
}

impl Places {
    /// Reads a database into memory.
    ///
    /// # Errors
    /// When the file cannot be read, is broken, or knows no countries.
    pub fn read(file: &Path) -> Result<Places, FileError> {
        let bytes = std::fs::read(file).map_err(|source| FileError::Read { file: file.to_owned(), source })?;
        let broken =
            |error: maxminddb::MaxMindDbError| FileError::Database { file: file.to_owned(), reason: error.to_string() };
        let reader = Reader::from_source(bytes).map_err(broken)?;
        let networks = reader.networks(maxminddb::WithinOptions::default()).map_err(broken)?;
        let mut has_countries = false;
        for network in networks.take(LOOKED_AT) {
            let record: Option<Record<'_>> = network.and_then(|network| network.decode()).map_err(broken)?;
            has_countries = record.is_some_and(|record| !place_of(&record).country.is_empty());
            if has_countries {
                break;
            }
        }
        if !has_countries {
            let kind = reader.metadata().database_type.clone();
            return Err(FileError::NoCountries { file: file.to_owned(), kind });
        }
        Ok(Places { reader })
    }

    /// Where an address is; none where the database does not say it.
    #[must_use]
    pub fn find(&self, address: IpAddr) -> Option<Place> {
        // an IPv4 database knows no IPv6, and a broken record is one that is not known
        let record: Record<'_> = self.reader.lookup(address.to_canonical()).ok()?.decode().ok()??;
        let place = place_of(&record);
        (!place.country.is_empty()).then_some(place)
    }

    /// What the database says of itself, for instance `GeoLite2-City`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.reader.metadata().database_type
    }
}

fn place_of(record: &Record<'_>) -> Place {
    let name = |of: &Named<'_>| of.names.en.to_owned();
    Place {
        country: if record.country.names.en.is_empty() {
            record.country.iso_code.to_owned()
        } else {
            name(&record.country)
        },
        country_code: record.country.iso_code.to_owned(),
        state: record.subdivisions.first().map(name).unwrap_or_default(),
        city: name(&record.city),
        latitude: record.location.latitude,
        longitude: record.location.longitude,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
    }

    #[test]
    fn a_city_database_says_country_city_and_coordinates() {
        let places = Places::read(&data("cities.mmdb")).unwrap();
        assert_eq!(places.kind(), "Test-City");
        let place = places.find("203.0.113.9".parse().unwrap()).unwrap();
        let found = (place.country.as_str(), place.country_code.as_str(), place.state.as_str(), place.city.as_str());
        assert_eq!(found, ("Netherlands", "NL", "North Holland", "Amsterdam"));
        assert_eq!((place.latitude, place.longitude), (Some(52.37), Some(4.9)));
        assert_eq!(places.find("::ffff:203.0.113.9".parse().unwrap()), Some(place));
        assert_eq!(places.find("2001:db8::5".parse().unwrap()).unwrap().country, "Australia");
        assert_eq!(places.find("10.0.0.1".parse().unwrap()), None);
    }

    #[test]
    fn a_country_database_has_no_coordinates() {
        let place = Places::read(&data("countries.mmdb")).unwrap().find("198.51.100.1".parse().unwrap()).unwrap();
        assert_eq!((place.country.as_str(), place.city.as_str(), place.latitude), ("United States", "", None));
    }

    #[test]
    fn a_file_that_cannot_be_used_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let cut = dir.path().join("cut.mmdb");
        let whole = std::fs::read(data("cities.mmdb")).unwrap();
        std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
        for (file, said) in [
            (cut, "or only a part of one"),
            (data("networks.mmdb"), "has no countries (Test-ASN)"),
            (dir.path().join("none.mmdb"), "cannot be read"),
        ] {
            let error = Places::read(&file).err().unwrap().to_string();
            assert!(error.contains(said) && error.contains(&file.display().to_string()), "{error}");
        }
    }
}
