//! Lines that meet: where they cross, what they share, their union, and the part of a line that a polygon holds.

use std::collections::HashMap;

use super::shape::Line;
use super::sphere::{Place, Vector, angle, crossing, interpolate, near, on_edge};

type Edge = (Place, Place);

fn edges(lines: &[Line]) -> Vec<Edge> {
    lines.iter().flat_map(|line| line.windows(2).map(|pair| (pair[0], pair[1]))).collect()
}

/// The places at which others cross or touch an edge, with its own ends, in the order of travel.
fn cuts(edge: &Edge, others: &[Edge]) -> Vec<Place> {
    let (from, to) = (edge.0.vector, edge.1.vector);
    let mut cuts = Vec::new();
    for (c, d) in others {
        if let Some(at) = crossing(from, to, c.vector, d.vector) {
            cuts.push(Place::from_vector(at));
        }
        for end in [c, d] {
            if on_edge(from, to, end.vector) {
                cuts.push(*end);
            }
        }
    }
    cuts.sort_by(|a, b| angle(from, a.vector).total_cmp(&angle(from, b.vector)));
    cuts.retain(|cut| !cut.same(&edge.0) && !cut.same(&edge.1));
    cuts.insert(0, edge.0);
    cuts.push(edge.1);
    cuts.dedup_by(|next, previous| next.same(previous));
    cuts
}

/// The places and the lines of `lines` that another shape holds; `others` are the edges of that shape.
pub fn clipped(lines: &[Line], others: &[Line], holds: impl Fn(Vector) -> bool) -> (Vec<Place>, Vec<Line>) {
    let others = edges(others);
    let (mut places, mut kept) = (Vec::<Place>::new(), Vec::<Edge>::new());
    for edge in edges(lines) {
        let cuts = cuts(&edge, &others);
        for pair in cuts.windows(2) {
            if holds(interpolate(pair[0].vector, pair[1].vector, 0.5)) {
                kept.push((pair[0], pair[1]));
            }
        }
        places.extend(cuts.into_iter().filter(|cut| holds(cut.vector)));
    }
    let lines = chained(&kept);
    let mut single: Vec<Place> = Vec::new();
    for place in places {
        let known = single.iter().any(|other| other.same(&place))
            || kept.iter().any(|(from, to)| on_edge(from.vector, to.vector, place.vector));
        if !known {
            single.push(place);
        }
    }
    (single, lines)
}

/// Whether a place is on one of the lines.
pub fn on_lines(lines: &[Line], place: Vector) -> bool {
    lines.iter().any(|line| line.windows(2).any(|pair| on_edge(pair[0].vector, pair[1].vector, place)))
}

/// All lines together, what several of them share only once.
pub fn union_of_lines(lines: Vec<Line>) -> Vec<Line> {
    if lines.len() <= 1 {
        return lines;
    }
    let all = edges(&lines);
    let mut pieces: Vec<Edge> = Vec::new();
    for edge in &all {
        for pair in cuts(edge, &all).windows(2) {
            pieces.push((pair[0], pair[1]));
        }
    }
    chained(&pieces)
}

/// Edges one after another as long lines that start and end where more or fewer than two edges meet. An edge that
/// comes twice counts once.
fn chained(pieces: &[Edge]) -> Vec<Line> {
    let mut vertices: Vec<Place> = Vec::new();
    let mut grid: HashMap<[i64; 3], Vec<usize>> = HashMap::new();
    let mut number = |place: &Place| {
        // places that are one may fall into neighboring boxes of the grid
        let of = |shift: f64| place.vector.map(|part| (part * 1e10 + shift).floor() as i64);
        let known = [of(0.0), of(0.5)].iter().find_map(|key| {
            let numbers = grid.get(key)?;
            numbers.iter().copied().find(|known: &usize| near(vertices[*known].vector, place.vector))
        });
        known.unwrap_or_else(|| {
            vertices.push(*place);
            for key in [of(0.0), of(0.5)] {
                grid.entry(key).or_default().push(vertices.len() - 1);
            }
            vertices.len() - 1
        })
    };
    let mut seen = std::collections::HashSet::new();
    let mut numbered: Vec<(usize, usize)> = Vec::new();
    for (from, to) in pieces {
        let (from, to) = (number(from), number(to));
        if from != to && seen.insert((from.min(to), from.max(to))) {
            numbered.push((from, to));
        }
    }
    let mut out: Vec<Vec<usize>> = vec![Vec::new(); vertices.len()];
    let mut into = vec![0usize; vertices.len()];
    for (index, (from, to)) in numbered.iter().enumerate() {
        out[*from].push(index);
        into[*to] += 1;
    }
    let passed = |vertex: usize| out[vertex].len() == 1 && into[vertex] == 1;
    let mut used = vec![false; numbered.len()];
    let mut lines = Vec::new();
    let starts = (0..numbered.len()).filter(|index| !passed(numbered[*index].0));
    // what is left after the lines with an end are closed rings
    for start in starts.chain(0..numbered.len()) {
        if used[start] {
            continue;
        }
        let mut line = vec![vertices[numbered[start].0]];
        let mut at = start;
        loop {
            used[at] = true;
            let to = numbered[at].1;
            line.push(vertices[to]);
            match out[to].first() {
                Some(next) if passed(to) && !used[*next] => at = *next,
                _ => break,
            }
        }
        lines.push(line);
    }
    lines
}
