//! A series as season, trend and what is left; and the anomalies and forecasts that follow.

use serde_json::Value as Tree;
use watchkeeper_kql::Type;

use super::fit::line;
use super::numbers::{bag, mean, reals, reals_tree};
use super::outliers::{Range, scores};
use super::periods::{DETECTED, period_of, seasonal};
use crate::functions::frame::{Call, Function, Returns, Value};

const DYNAMIC: Returns = Returns::Always(Type::Dynamic);

pub const FUNCTIONS: &[Function] = &[
    Function::row("series_decompose", 1, 5, DYNAMIC, decompose_value),
    Function::row("series_decompose_forecast", 2, 5, DYNAMIC, forecast),
    Function::row("series_decompose_anomalies", 1, 7, DYNAMIC, anomalies),
];

struct Parts {
    baseline: Vec<f64>,
    seasonal: Vec<f64>,
    trend: Vec<f64>,
    residual: Vec<f64>,
}

#[derive(Clone, Copy)]
enum Trend {
    Average,
    Line,
    None,
}

impl Trend {
    fn from_name(name: &str) -> Option<Trend> {
        match name {
            "avg" => Some(Trend::Average),
            "linefit" => Some(Trend::Line),
            "none" => Some(Trend::None),
            _ => None,
        }
    }
}

/// What the optional arguments say; `held_back` points at the end are not learned from.
struct Options {
    seasonality: i64,
    trend: Trend,
    held_back: usize,
    threshold: f64,
}

/// The arguments at the given places.
fn options(args: &[Value<'_>], places: [usize; 4], trend: &str) -> Option<Options> {
    let at = |place: usize| args.get(place);
    Some(Options {
        seasonality: at(places[0]).and_then(Value::as_i64).unwrap_or(-1),
        trend: Trend::from_name(at(places[1]).map_or(trend, |name| name.text()))?,
        held_back: at(places[2]).and_then(Value::as_i64).unwrap_or(0).max(0) as usize,
        threshold: at(places[3]).and_then(Value::as_f64).unwrap_or(DETECTED),
    })
}

/// The season is taken out first, then the trend of what remains. The season of a series with a trend is looked for
/// after its line is taken out.
fn decompose(numbers: &[f64], options: &Options) -> Parts {
    let length = numbers.len();
    let learn = length.saturating_sub(options.held_back);
    let level = match options.trend {
        Trend::Line => line(&numbers[..learn], 0),
        _ => None,
    };
    let flat: Vec<f64> = numbers
        .iter()
        .enumerate()
        .map(|(place, number)| number - level.map_or(0.0, |line| line.slope * place as f64))
        .collect();
    let season = match period_of(&flat[..learn], options.seasonality, options.threshold) {
        Some(period) => seasonal(&flat, period, learn),
        None => vec![0.0; length],
    };
    let rest: Vec<f64> = numbers.iter().zip(&season).map(|(number, season)| number - season).collect();
    let trend: Vec<f64> = match options.trend {
        Trend::None => vec![0.0; length],
        Trend::Average => {
            let known: Vec<f64> = rest[..learn].iter().copied().filter(|number| number.is_finite()).collect();
            vec![mean(&known); length]
        }
        Trend::Line => match line(&rest[..learn], 0) {
            Some(line) => (0..length).map(|place| line.at(place as f64)).collect(),
            None => vec![0.0; length],
        },
    };
    let baseline: Vec<f64> = season.iter().zip(&trend).map(|(season, trend)| season + trend).collect();
    let residual = numbers.iter().zip(&baseline).map(|(number, base)| number - base).collect();
    Parts { baseline, seasonal: season, trend, residual }
}

fn decompose_value<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let (Some(numbers), Some(options)) = (reals(&args[0]), options(args, [1, 2, 3, 4], "avg")) else {
        return Value::Null;
    };
    let parts = decompose(&numbers, &options);
    bag([
        ("baseline", reals_tree(&parts.baseline)),
        ("seasonal", reals_tree(&parts.seasonal)),
        ("trend", reals_tree(&parts.trend)),
        ("residual", reals_tree(&parts.residual)),
    ])
}

/// The baseline, learned without the last `points` items.
fn forecast<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let (Some(numbers), Some(mut options), Some(points)) =
        (reals(&args[0]), options(args, [2, 3, usize::MAX, 4], "linefit"), args[1].as_i64())
    else {
        return Value::Null;
    };
    options.held_back = points.max(0) as usize;
    let parts = decompose(&numbers, &options);
    bag([
        ("forecast", reals_tree(&parts.baseline)),
        ("seasonal", reals_tree(&parts.seasonal)),
        ("trend", reals_tree(&parts.trend)),
        ("residual", reals_tree(&parts.residual)),
    ])
}

/// Flags are 1 and -1 where the score of the residual passes the threshold.
fn anomalies<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let (Some(numbers), Some(options)) = (reals(&args[0]), options(args, [2, 3, 4, 6], "avg")) else {
        return Value::Null;
    };
    let threshold = args.get(1).and_then(Value::as_f64).unwrap_or(1.5);
    let method = args.get(5).map_or("ctukey", |method| method.text());
    let Some(range) = Range::of_method(method, 0.1, 0.9) else {
        return Value::Null;
    };
    let parts = decompose(&numbers, &options);
    let learn = numbers.len().saturating_sub(options.held_back);
    let scores = scores(&parts.residual, learn, range);
    let flags = scores.iter().map(|score| {
        Tree::from(if *score >= threshold {
            1
        } else if *score <= -threshold {
            -1
        } else {
            0
        })
    });
    bag([
        ("ad_flag", Tree::Array(flags.collect())),
        ("ad_score", reals_tree(&scores)),
        ("baseline", reals_tree(&parts.baseline)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::frame::json::tree_of;
    use crate::functions::testing::{dynamic, run, string, type_of};

    fn call(name: &str, args: &[Value<'static>]) -> Tree {
        let types: Vec<Type> = args.iter().map(type_of).collect();
        tree_of(&run(name, &types, args, false))
    }

    /// Five weeks of days with a little noise, a trend, and one spike and one dip.
    fn weeks(slope: f64) -> Vec<f64> {
        (0..70)
            .map(|day| {
                let season = if day % 7 < 5 { 20.0 } else { 5.0 };
                let noise = f64::from(day * 37 % 11) / 11.0;
                let outlier = match day {
                    30 => 25.0,
                    50 => -25.0,
                    _ => 0.0,
                };
                season + noise + slope * f64::from(day) + outlier
            })
            .collect()
    }

    #[test]
    fn a_spike_and_a_dip_are_the_anomalies() {
        let series = dynamic(&reals_tree(&weeks(0.5)).to_string());
        let got = call("series_decompose_anomalies", &[series, Value::Real(2.5), Value::Long(7), string("linefit")]);
        let flagged: Vec<(usize, i64)> = got["ad_flag"]
            .as_array()
            .unwrap()
            .iter()
            .enumerate()
            .filter_map(|(place, flag)| Some((place, flag.as_i64()?)).filter(|(_, flag)| *flag != 0))
            .collect();
        assert_eq!(flagged, [(30, 1), (50, -1)]);
        assert_eq!(got["baseline"].as_array().unwrap().len(), 70);
    }

    #[test]
    fn the_parts_add_up_to_the_series() {
        let numbers = weeks(0.0);
        let got = call("series_decompose", &[dynamic(&reals_tree(&numbers).to_string())]);
        for (place, number) in numbers.iter().enumerate() {
            let part = |name: &str| got[name][place].as_f64().unwrap();
            assert!((part("seasonal") + part("trend") - part("baseline")).abs() < 1e-9);
            assert!((part("baseline") + part("residual") - number).abs() < 1e-9);
        }
        assert!(got["seasonal"][0].as_f64().unwrap() > got["seasonal"][6].as_f64().unwrap() + 10.0);
    }

    #[test]
    fn a_forecast_goes_on_with_season_and_trend() {
        let mut numbers = weeks(0.5);
        let want = numbers[69];
        numbers[63..].fill(0.0);
        let series = dynamic(&reals_tree(&numbers).to_string());
        let got = call("series_decompose_forecast", &[series, Value::Long(7)]);
        let last = got["forecast"][69].as_f64().unwrap();
        assert!((last - want).abs() < 2.0, "{last} {want}");
    }
}
