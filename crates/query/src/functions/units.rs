//! `convert_length` and its kin: one table of units with their size in the base unit of their kind.

use std::f64::consts::PI;

use watchkeeper_kql::Type;

use super::frame::{Function, Returns, Value};

const REAL: Returns = Returns::Always(Type::Real);

pub const FUNCTIONS: &[Function] = &[
    Function::row("convert_angle", 3, 3, REAL, |_, args| scale(args, ANGLE)),
    Function::row("convert_energy", 3, 3, REAL, |_, args| scale(args, ENERGY)),
    Function::row("convert_force", 3, 3, REAL, |_, args| scale(args, FORCE)),
    Function::row("convert_length", 3, 3, REAL, |_, args| scale(args, LENGTH)),
    Function::row("convert_mass", 3, 3, REAL, |_, args| scale(args, MASS)),
    Function::row("convert_speed", 3, 3, REAL, |_, args| speed(args)),
    Function::row("convert_temperature", 3, 3, REAL, |_, args| temperature(args)),
    Function::row("convert_volume", 3, 3, REAL, |_, args| scale(args, VOLUME)),
];

type Units = &'static [(&'static str, f64)];

/// In radians.
const ANGLE: Units = &[
    ("Arcminute", PI / 10_800.0),
    ("Arcsecond", PI / 648_000.0),
    ("Centiradian", 1e-2),
    ("Deciradian", 1e-1),
    ("Degree", PI / 180.0),
    ("Gradian", PI / 200.0),
    ("Microdegree", PI / 180e6),
    ("Microradian", 1e-6),
    ("Millidegree", PI / 180e3),
    ("Milliradian", 1e-3),
    ("Nanodegree", PI / 180e9),
    ("Nanoradian", 1e-9),
    ("NatoMil", PI / 3200.0),
    ("Radian", 1.0),
    ("Revolution", 2.0 * PI),
    ("Tilt", PI / 2.0),
];

const BTU: f64 = 1_055.055_852_62;
const CALORIE: f64 = 4.184;
const ELECTRONVOLT: f64 = 1.602_176_634e-19;
const THERM_EC: f64 = 1.055_06e8;
const THERM_IMPERIAL: f64 = 1.055_055_852_62e8;
const THERM_US: f64 = 1.054_804e8;

/// In joules.
const ENERGY: Units = &[
    ("BritishThermalUnit", BTU),
    ("Calorie", CALORIE),
    ("DecathermEc", 10.0 * THERM_EC),
    ("DecathermImperial", 10.0 * THERM_IMPERIAL),
    ("DecathermUs", 10.0 * THERM_US),
    ("ElectronVolt", ELECTRONVOLT),
    ("Erg", 1e-7),
    ("FootPound", 1.355_817_948_331_400_4),
    ("GigabritishThermalUnit", 1e9 * BTU),
    ("GigaelectronVolt", 1e9 * ELECTRONVOLT),
    ("Gigajoule", 1e9),
    ("GigawattDay", 86_400e9),
    ("GigawattHour", 3600e9),
    ("HorsepowerHour", 2_684_519.537_696_173),
    ("Joule", 1.0),
    ("KilobritishThermalUnit", 1e3 * BTU),
    ("Kilocalorie", 1e3 * CALORIE),
    ("KiloelectronVolt", 1e3 * ELECTRONVOLT),
    ("Kilojoule", 1e3),
    ("KilowattDay", 86_400e3),
    ("KilowattHour", 3600e3),
    ("MegabritishThermalUnit", 1e6 * BTU),
    ("Megacalorie", 1e6 * CALORIE),
    ("MegaelectronVolt", 1e6 * ELECTRONVOLT),
    ("Megajoule", 1e6),
    ("MegawattDay", 86_400e6),
    ("MegawattHour", 3600e6),
    ("Millijoule", 1e-3),
    ("TeraelectronVolt", 1e12 * ELECTRONVOLT),
    ("TerawattDay", 86_400e12),
    ("TerawattHour", 3600e12),
    ("ThermEc", THERM_EC),
    ("ThermImperial", THERM_IMPERIAL),
    ("ThermUs", THERM_US),
    ("WattDay", 86_400.0),
    ("WattHour", 3600.0),
];

const GRAVITY: f64 = 9.806_65;
const POUND: f64 = 0.453_592_37;
const FOOT: f64 = 0.3048;

/// In newtons.
const FORCE: Units = &[
    ("Decanewton", 10.0),
    ("Dyn", 1e-5),
    ("KilogramForce", GRAVITY),
    ("Kilonewton", 1e3),
    ("KiloPond", GRAVITY),
    ("KilopoundForce", 1e3 * POUND * GRAVITY),
    ("Meganewton", 1e6),
    ("Micronewton", 1e-6),
    ("Millinewton", 1e-3),
    ("Newton", 1.0),
    ("OunceForce", POUND * GRAVITY / 16.0),
    ("Poundal", POUND * FOOT),
    ("PoundForce", POUND * GRAVITY),
    ("ShortTonForce", 2000.0 * POUND * GRAVITY),
    ("TonneForce", 1e3 * GRAVITY),
];

const PARSEC: f64 = 3.085_677_581_491_367e16;
const LIGHT_YEAR: f64 = 9.460_730_472_580_8e15;
const INCH: f64 = 0.0254;

/// In metres.
const LENGTH: Units = &[
    ("Angstrom", 1e-10),
    ("AstronomicalUnit", 1.495_978_707e11),
    ("Centimeter", 1e-2),
    ("Chain", 66.0 * FOOT),
    ("DataMile", 6000.0 * FOOT),
    ("Decameter", 10.0),
    ("Decimeter", 0.1),
    ("DtpPica", INCH / 6.0),
    ("DtpPoint", INCH / 72.0),
    ("Fathom", 6.0 * FOOT),
    ("Foot", FOOT),
    ("Hand", 4.0 * INCH),
    ("Hectometer", 100.0),
    ("Inch", INCH),
    ("KilolightYear", 1e3 * LIGHT_YEAR),
    ("Kilometer", 1e3),
    ("Kiloparsec", 1e3 * PARSEC),
    ("LightYear", LIGHT_YEAR),
    ("MegalightYear", 1e6 * LIGHT_YEAR),
    ("Megaparsec", 1e6 * PARSEC),
    ("Meter", 1.0),
    ("Microinch", 1e-6 * INCH),
    ("Micrometer", 1e-6),
    ("Mil", 1e-3 * INCH),
    ("Mile", 5280.0 * FOOT),
    ("Millimeter", 1e-3),
    ("Nanometer", 1e-9),
    ("NauticalMile", 1852.0),
    ("Parsec", PARSEC),
    ("PrinterPica", INCH * 400.0 / 2409.0),
    ("PrinterPoint", INCH / 72.27),
    ("Shackle", 90.0 * FOOT),
    ("SolarRadius", 6.955_1e8),
    ("Twip", INCH / 1440.0),
    ("UsSurveyFoot", 1200.0 / 3937.0),
    ("Yard", 3.0 * FOOT),
];

/// In kilograms.
const MASS: Units = &[
    ("Centigram", 1e-5),
    ("Decagram", 1e-2),
    ("Decigram", 1e-4),
    ("EarthMass", 5.9722e24),
    ("Grain", POUND / 7000.0),
    ("Gram", 1e-3),
    ("Hectogram", 0.1),
    ("Kilogram", 1.0),
    ("Kilopound", 1e3 * POUND),
    ("Kilotonne", 1e6),
    ("LongHundredweight", 112.0 * POUND),
    ("LongTon", 2240.0 * POUND),
    ("Megapound", 1e6 * POUND),
    ("Megatonne", 1e9),
    ("Microgram", 1e-9),
    ("Milligram", 1e-6),
    ("Nanogram", 1e-12),
    ("Ounce", POUND / 16.0),
    ("Pound", POUND),
    ("ShortHundredweight", 100.0 * POUND),
    ("ShortTon", 2000.0 * POUND),
    ("Slug", POUND * GRAVITY / FOOT),
    ("SolarMass", 1.988_47e30),
    ("Stone", 14.0 * POUND),
    ("Tonne", 1e3),
];

const CUBIC_FOOT: f64 = FOOT * FOOT * FOOT;
const CUBIC_MILE: f64 = 5280.0 * 5280.0 * 5280.0 * CUBIC_FOOT;
const US_GALLON: f64 = 231.0 * INCH * INCH * INCH;
const IMPERIAL_GALLON: f64 = 4.546_09e-3;

/// In cubic metres.
const VOLUME: Units = &[
    // the reference rounds an acre-foot
    ("AcreFoot", 1.0 / 0.000_810_714),
    ("AuTablespoon", 2e-5),
    ("BoardFoot", CUBIC_FOOT / 12.0),
    ("Centiliter", 1e-5),
    ("CubicCentimeter", 1e-6),
    ("CubicDecimeter", 1e-3),
    ("CubicFoot", CUBIC_FOOT),
    ("CubicHectometer", 1e6),
    ("CubicInch", INCH * INCH * INCH),
    ("CubicKilometer", 1e9),
    ("CubicMeter", 1.0),
    ("CubicMicrometer", 1e-18),
    ("CubicMile", CUBIC_MILE),
    ("CubicMillimeter", 1e-9),
    ("CubicYard", 27.0 * CUBIC_FOOT),
    ("Decaliter", 1e-2),
    ("DecausGallon", 10.0 * US_GALLON),
    ("Deciliter", 1e-4),
    ("DeciusGallon", 0.1 * US_GALLON),
    ("HectocubicFoot", 100.0 * CUBIC_FOOT),
    ("HectocubicMeter", 100.0),
    ("Hectoliter", 0.1),
    ("HectousGallon", 100.0 * US_GALLON),
    ("ImperialBeerBarrel", 36.0 * IMPERIAL_GALLON),
    ("ImperialGallon", IMPERIAL_GALLON),
    ("ImperialOunce", IMPERIAL_GALLON / 160.0),
    ("ImperialPint", IMPERIAL_GALLON / 8.0),
    ("KilocubicFoot", 1e3 * CUBIC_FOOT),
    ("KilocubicMeter", 1e3),
    ("KiloimperialGallon", 1e3 * IMPERIAL_GALLON),
    ("Kiloliter", 1.0),
    ("KilousGallon", 1e3 * US_GALLON),
    ("Liter", 1e-3),
    ("MegacubicFoot", 1e6 * CUBIC_FOOT),
    ("MegaimperialGallon", 1e6 * IMPERIAL_GALLON),
    ("Megaliter", 1e3),
    ("MegausGallon", 1e6 * US_GALLON),
    ("MetricCup", 2.5e-4),
    ("MetricTeaspoon", 5e-6),
    ("Microliter", 1e-9),
    ("Milliliter", 1e-6),
    ("OilBarrel", 42.0 * US_GALLON),
    ("UkTablespoon", 1.5e-5),
    ("UsBeerBarrel", 31.0 * US_GALLON),
    ("UsCustomaryCup", US_GALLON / 16.0),
    ("UsGallon", US_GALLON),
    ("UsLegalCup", 2.4e-4),
    ("UsOunce", US_GALLON / 128.0),
    ("UsPint", US_GALLON / 8.0),
    ("UsQuart", US_GALLON / 4.0),
    ("UsTablespoon", US_GALLON / 256.0),
    ("UsTeaspoon", US_GALLON / 768.0),
];

fn factor(units: Units, name: &str) -> Option<f64> {
    units.iter().find(|(unit, _)| *unit == name).map(|(_, factor)| *factor)
}

fn scale<'a>(args: &[Value<'a>], units: Units) -> Value<'a> {
    let convert = || Some(args[0].as_f64()? * factor(units, args[1].text())? / factor(units, args[2].text())?);
    Value::from_option(convert(), Value::Real)
}

/// A unit of length per second, minute or hour; and the knot. In metres per second.
fn speed_factor(name: &str) -> Option<f64> {
    if name == "Knot" {
        return Some(1852.0 / 3600.0);
    }
    let (length, time) = name.split_once("Per")?;
    let time = match time {
        "Second" => 1.0,
        "Minute" => 60.0,
        "Hour" => 3600.0,
        _ => return None,
    };
    let known = [
        "Centimeter",
        "Decimeter",
        "Foot",
        "Inch",
        "Kilometer",
        "Meter",
        "Micrometer",
        "Mile",
        "Millimeter",
        "Nanometer",
        "UsSurveyFoot",
        "Yard",
    ];
    let length = known.contains(&length).then(|| factor(LENGTH, length))??;
    Some(length / time)
}

fn speed<'a>(args: &[Value<'a>]) -> Value<'a> {
    let convert = || Some(args[0].as_f64()? * speed_factor(args[1].text())? / speed_factor(args[2].text())?);
    Value::from_option(convert(), Value::Real)
}

/// The factor and the offset that lead to kelvin.
fn temperature_scale(name: &str) -> Option<(f64, f64)> {
    Some(match name {
        "Kelvin" => (1.0, 0.0),
        "DegreeCelsius" => (1.0, 273.15),
        "MillidegreeCelsius" => (1e-3, 273.15),
        "DegreeFahrenheit" => (5.0 / 9.0, 459.67 * 5.0 / 9.0),
        "DegreeRankine" => (5.0 / 9.0, 0.0),
        "DegreeReaumur" => (1.25, 273.15),
        "DegreeRoemer" => (40.0 / 21.0, 273.15 - 7.5 * 40.0 / 21.0),
        "DegreeNewton" => (100.0 / 33.0, 273.15),
        "DegreeDelisle" => (-2.0 / 3.0, 373.15),
        "SolarTemperature" => (5778.0, 0.0),
        _ => return None,
    })
}

fn temperature<'a>(args: &[Value<'a>]) -> Value<'a> {
    let convert = || {
        let (from, to) = (temperature_scale(args[1].text())?, temperature_scale(args[2].text())?);
        Some((args[0].as_f64()? * from.0 + from.1 - to.1) / to.0)
    };
    Value::from_option(convert(), Value::Real)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::testing::{run, string};

    #[test]
    fn units_convert_within_their_kind() {
        for (kind, from, to, want) in [
            ("angle", "Degree", "Arcminute", 72.0),
            ("energy", "Joule", "BritishThermalUnit", 0.001_137_380_544_375_98),
            ("force", "Newton", "Decanewton", 0.12),
            ("length", "Meter", "Foot", 3.937_007_874_015_75),
            ("mass", "Kilogram", "Pound", 2.645_547_146_218_53),
            ("speed", "MeterPerSecond", "CentimeterPerHour", 432_000.0),
            ("temperature", "Kelvin", "DegreeCelsius", -271.95),
            ("temperature", "DegreeFahrenheit", "DegreeCelsius", -17.111_111_111_111_1),
            ("volume", "CubicMeter", "AcreFoot", 0.000_972_856_8),
            ("volume", "UsGallon", "UsPint", 9.6),
        ] {
            let args = [Value::Real(1.2), string(from), string(to)];
            let types = [Type::Real, Type::String, Type::String];
            let got = run(&format!("convert_{kind}"), &types, &args, true);
            let got = got.as_f64().unwrap();
            assert!((got - want).abs() <= 1e-8 * want.abs(), "{kind}: {got} {want}");
        }
        let args = [Value::Real(1.0), string("Meter"), string("Pound")];
        let types = [Type::Real, Type::String, Type::String];
        assert_eq!(run("convert_length", &types, &args, true), Value::Null);
    }
}
