//! `geo_from_wkt`: geometries in well-known text as GeoJSON.

use watchkeeper_kql::Type;

use super::sphere::Place;
use crate::functions::frame::{Function, Returns, Value};
use serde_json::{Value as Tree, json};

pub const FUNCTIONS: &[Function] = &[Function::row("geo_from_wkt", 1, 1, Returns::Always(Type::Dynamic), |_, args| {
    let mut reader = Reader { rest: args[0].text().trim() };
    let shape = reader.geometry(0).filter(|_| reader.rest.trim().is_empty());
    Value::from_option(shape, |shape| Value::json(&shape))
})];

/// Collections within collections that a text has at most.
const DEEPEST: usize = 32;

struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn eat(&mut self, sign: char) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn word(&mut self) -> &'t str {
        self.rest = self.rest.trim_start();
        let end = self.rest.find(|sign: char| !sign.is_ascii_alphabetic()).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn number(&mut self) -> Option<f64> {
        self.rest = self.rest.trim_start();
        let end = self
            .rest
            .find(|sign: char| !sign.is_ascii_alphanumeric() && !"+-.".contains(sign))
            .unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(end);
        let number: f64 = number.parse().ok()?;
        self.rest = rest;
        Some(number)
    }

    /// Items in parentheses with commas between them.
    fn list(&mut self, mut item: impl FnMut(&mut Self) -> Option<Tree>) -> Option<Tree> {
        if !self.eat('(') {
            return None;
        }
        let mut items = vec![item(self)?];
        while self.eat(',') {
            items.push(item(self)?);
        }
        self.eat(')').then_some(Tree::Array(items))
    }

    /// Longitude and latitude; height and measure are left out.
    fn place(&mut self) -> Option<Tree> {
        let (longitude, latitude) = (self.number()?, self.number()?);
        Place::new(longitude, latitude)?;
        for _ in 0..2 {
            let at = self.rest;
            if self.number().is_none() {
                self.rest = at;
            }
        }
        Some(json!([whole(longitude), whole(latitude)]))
    }

    /// A place of a multipoint may stand in parentheses of its own.
    fn point(&mut self) -> Option<Tree> {
        if !self.eat('(') {
            return self.place();
        }
        let place = self.place()?;
        self.eat(')').then_some(place)
    }

    fn line(&mut self) -> Option<Tree> {
        self.list(Self::place)
    }

    fn lines(&mut self) -> Option<Tree> {
        self.list(Self::line)
    }

    fn geometry(&mut self, depth: usize) -> Option<Tree> {
        let kind = self.word().to_ascii_uppercase();
        let at = self.rest;
        if !matches!(self.word().to_ascii_uppercase().as_str(), "Z" | "M" | "ZM") {
            self.rest = at;
        }
        let (kind, coordinates) = match kind.as_str() {
            "POINT" => {
                if !self.eat('(') {
                    return None;
                }
                let place = self.place()?;
                ("Point", self.eat(')').then_some(place)?)
            }
            "LINESTRING" => ("LineString", self.line()?),
            "POLYGON" => ("Polygon", self.lines()?),
            "MULTIPOINT" => ("MultiPoint", self.list(Self::point)?),
            "MULTILINESTRING" => ("MultiLineString", self.lines()?),
            "MULTIPOLYGON" => ("MultiPolygon", self.list(Self::lines)?),
            "GEOMETRYCOLLECTION" if depth < DEEPEST => {
                let geometries = self.list(|reader| reader.geometry(depth + 1))?;
                return Some(json!({"type": "GeometryCollection", "geometries": geometries}));
            }
            _ => return None,
        };
        Some(json!({"type": kind, "coordinates": coordinates}))
    }
}

/// A number without a fraction as such.
fn whole(number: f64) -> Tree {
    if number.fract() == 0.0 { json!(number as i64) } else { json!(number) }
}

#[cfg(test)]
mod tests {
    use crate::functions::frame::Value;
    use crate::functions::testing::{check, dynamic, string};

    #[test]
    fn geometries_become_geojson() {
        for (text, want) in [
            ("POINT (1 2)", r#"{"type":"Point","coordinates":[1,2]}"#),
            (" linestring z (1 1 5, 2.5 -3e0 6)", r#"{"type":"LineString","coordinates":[[1,1],[2.5,-3]]}"#),
            ("MULTIPOINT ((1 1), 2 2)", r#"{"type":"MultiPoint","coordinates":[[1,1],[2,2]]}"#),
            (
                "GEOMETRYCOLLECTION(POINT(1 1),POLYGON((10 10, 12 10, 12 12, 10 10)))",
                concat!(
                    r#"{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1,1]},"#,
                    r#"{"type":"Polygon","coordinates":[[[10,10],[12,10],[12,12],[10,10]]]}]}"#
                ),
            ),
        ] {
            check("geo_from_wkt", &[(vec![string(text)], dynamic(want))]);
        }
        for text in ["LINESTRING", "POINT (1)", "POINT (1 2) x", "POINT (1 200)", "CIRCLE (1 2)"] {
            check("geo_from_wkt", &[(vec![string(text)], Value::Null)]);
        }
    }
}
