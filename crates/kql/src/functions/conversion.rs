//! Conversions between types and units (reference: "Conversion functions").

pub(super) const TABLE: &str = "
tostring(value: any) -> string as first
tohex(value: long|int, min_length?: integer) -> string as first
parse_json|parsejson|todynamic|toobject(json: any) -> dynamic as first
tolong(value: any) -> long as first
toint(value: any) -> int as first
toreal|todouble(value: any) -> real as first
todatetime(value: any) -> datetime as first
totimespan|totime(value: any) -> timespan as first
tobool|toboolean(value: any) -> bool as first
todecimal(value: any) -> decimal as first
toguid(value: string|guid|dynamic) -> guid as first
gettype(value: any) -> string as prefix type
dynamic_to_json(value: any) -> string
convert_angle(value: real, from: string, to: string) -> real
convert_energy(value: real, from: string, to: string) -> real
convert_force(value: real, from: string, to: string) -> real
convert_length(value: real, from: string, to: string) -> real
convert_mass(value: real, from: string, to: string) -> real
convert_speed(value: real, from: string, to: string) -> real
convert_temperature(value: real, from: string, to: string) -> real
convert_volume(value: real, from: string, to: string) -> real
__cast(type: type, value: any) -> type_argument
__invoke(name: string, type: type, arg?...: any) -> type_argument
";
