//! Geohash cells: rectangles that a base-32 text names, longitude and latitude taking turns bit by bit.

use watchkeeper_kql::Type;

use super::shape::{Polygon, point_json, polygons_json};
use super::sphere::Place;
use super::{level, place_of, text_list};
use crate::functions::frame::{Function, Returns, Value};

const DYNAMIC: Returns = Returns::Always(Type::Dynamic);
const DIGITS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
const LONGEST: usize = 18;

pub const FUNCTIONS: &[Function] = &[
    Function::row_with_nulls("geo_point_to_geohash", 2, 3, Returns::Always(Type::String), |_, args| {
        let cell = level(args, 2, 5, 1, LONGEST as i64)
            .and_then(|digits| Some(Cell::at(&place_of(args, 0)?, digits as usize)));
        Value::string(cell.map(|cell| cell.name()).unwrap_or_default())
    }),
    Function::row("geo_geohash_to_central_point", 1, 1, DYNAMIC, |_, args| {
        Value::from_option(Cell::named(args[0].text()), |cell| Value::dynamic(point_json(&cell.place(1, 1))))
    }),
    Function::row("geo_geohash_to_polygon", 1, 1, DYNAMIC, |_, args| {
        Value::from_option(Cell::named(args[0].text()), |cell| {
            let shell = [(0, 0), (2, 0), (2, 2), (0, 2)].map(|(right, up)| cell.place(right, up)).to_vec();
            Value::dynamic(polygons_json(&[Polygon { shell, holes: Vec::new() }]))
        })
    }),
    Function::row("geo_geohash_neighbors", 1, 1, DYNAMIC, |_, args| {
        Value::from_option(Cell::named(args[0].text()), |cell| {
            text_list(NEIGHBORS.iter().filter_map(|(right, up)| cell.neighbor(*right, *up)).map(|cell| cell.name()))
        })
    }),
];

/// The order of the list of neighbors, as steps to the east and to the north.
const NEIGHBORS: [(i64, i64); 8] = [(-1, -1), (-1, 1), (1, -1), (0, 1), (-1, 0), (1, 1), (1, 0), (0, -1)];

/// A cell by its column from the west, its row from the south and the number of its digits.
#[derive(Clone, Copy)]
struct Cell {
    column: i64,
    row: i64,
    digits: usize,
}

impl Cell {
    fn longitude_bits(&self) -> u32 {
        (self.digits as u32 * 5).div_ceil(2)
    }

    fn latitude_bits(&self) -> u32 {
        self.digits as u32 * 5 / 2
    }

    fn at(place: &Place, digits: usize) -> Cell {
        let mut cell = Cell { column: 0, row: 0, digits };
        let index = |share: f64, bits: u32| {
            let count = 1i64 << bits;
            ((share * count as f64) as i64).clamp(0, count - 1)
        };
        cell.column = index((place.longitude + 180.0) / 360.0, cell.longitude_bits());
        cell.row = index((place.latitude + 90.0) / 180.0, cell.latitude_bits());
        cell
    }

    fn named(name: &str) -> Option<Cell> {
        let digits = name.len();
        if !(1..=LONGEST).contains(&digits) {
            return None;
        }
        let (mut column, mut row, mut east) = (0i64, 0i64, true);
        for letter in name.bytes() {
            let digit = DIGITS.iter().position(|digit| *digit == letter.to_ascii_lowercase())?;
            for bit in (0..5).rev() {
                let bit = (digit as i64 >> bit) & 1;
                if east {
                    column = column << 1 | bit;
                } else {
                    row = row << 1 | bit;
                }
                east = !east;
            }
        }
        Some(Cell { column, row, digits })
    }

    fn name(&self) -> String {
        let (mut left_longitude, mut left_latitude) = (self.longitude_bits(), self.latitude_bits());
        let mut name = String::with_capacity(self.digits);
        let mut east = true;
        for _ in 0..self.digits {
            let mut digit = 0;
            for _ in 0..5 {
                let bit = if east {
                    left_longitude -= 1;
                    self.column >> left_longitude & 1
                } else {
                    left_latitude -= 1;
                    self.row >> left_latitude & 1
                };
                digit = digit << 1 | bit as usize;
                east = !east;
            }
            name.push(char::from(DIGITS[digit]));
        }
        name
    }

    /// The place at so many half cells to the east and to the north of the lower left corner.
    fn place(&self, right: i64, up: i64) -> Place {
        let share = |index: i64, half: i64, bits: u32| (index as f64 + half as f64 / 2.0) / (1i64 << bits) as f64;
        let longitude = share(self.column, right, self.longitude_bits()) * 360.0 - 180.0;
        let latitude = share(self.row, up, self.latitude_bits()) * 180.0 - 90.0;
        Place { longitude, latitude, vector: Place::new(longitude, latitude).map_or([0.0; 3], |place| place.vector) }
    }

    /// Columns go round the earth, rows end at the poles.
    fn neighbor(&self, right: i64, up: i64) -> Option<Cell> {
        let row = self.row + up;
        (0..1 << self.latitude_bits()).contains(&row).then(|| Cell {
            column: (self.column + right).rem_euclid(1 << self.longitude_bits()),
            row,
            digits: self.digits,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::functions::frame::Value;
    use crate::functions::testing::{check, dynamic, string};

    #[test]
    fn places_become_cells_and_cells_places() {
        let (longitude, latitude) = (Value::Real(139.806115), Value::Real(35.554128));
        check(
            "geo_point_to_geohash",
            &[
                (vec![longitude.clone(), latitude.clone(), Value::Long(12)], string("xn76m27ty9g4")),
                (vec![longitude.clone(), latitude.clone()], string("xn76m")),
                (vec![longitude, latitude.clone(), Value::Long(19)], string("")),
                (vec![Value::Real(200.0), latitude], string("")),
            ],
        );
        check(
            "geo_geohash_to_central_point",
            &[
                (vec![string("sunny")], dynamic(r#"{"type":"Point","coordinates":[42.47314453125,23.70849609375]}"#)),
                (vec![string("a")], Value::Null),
            ],
        );
        check(
            "geo_geohash_neighbors",
            &[(vec![string("sunny")], dynamic(r#"["sunnt","sunpj","sunnx","sunpn","sunnv","sunpp","sunnz","sunnw"]"#))],
        );
    }
}
