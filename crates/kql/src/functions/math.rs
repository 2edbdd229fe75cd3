//! Arithmetic, rounding, bits, and choosing among values (reference: "Mathematical functions").

pub(super) const TABLE: &str = "
round(number: number, precision?: long) -> same as first
ceiling(number: number) -> same as first
pow(base: real, exponent: real) -> real as first
sqrt(number: real) -> real as first
log(number: real) -> real as first
log2(number: real) -> real as first
log10(number: real) -> real as first
exp(number: real) -> real as first
exp2(number: real) -> real as first
exp10(number: real) -> real as first
pi() -> real
cos(number: real) -> real as first
sin(number: real) -> real as first
tan(number: real) -> real as first
acos(number: real) -> real as first
asin(number: real) -> real as first
atan(number: real) -> real as first
atan2(y: real, x: real) -> real as first
cot(number: real) -> real
degrees(radians: real) -> real
radians(degrees: real) -> real
abs(number: integer) -> long as first
abs(number: number|timespan) -> same as first
sign(number: number) -> real
rand(number?: integer) -> real as first
beta_cdf(x: real, alpha: real, beta: real) -> real
beta_inv(probability: real, alpha: real, beta: real) -> real
beta_pdf(x: real, alpha: real, beta: real) -> real
gamma(number: real) -> real as first
loggamma(number: real) -> real as first
erf(number: real) -> real as first
erfc(number: real) -> real as first
isnan(number: real) -> bool
isinf(number: real) -> bool
isfinite(number: real) -> bool
welch_test(mean1: real, variance1: real, count1: real, mean2: real, variance2: real, count2: real) -> real
bin|floor(value: number, round_to: number) -> widest as first
bin|floor(value: timespan, round_to: timespan) -> timespan as first
bin|floor(value: datetime, round_to: timespan) -> datetime as first
bin_at(value: number, bin_size: number, fixed_point: number) -> widest as first
bin_at(value: timespan, bin_size: timespan, fixed_point: timespan) -> timespan as first
bin_at(value: datetime, bin_size: timespan, fixed_point: datetime) -> datetime as first
bin_auto(value: summable) -> same as first
binary_and(value1: integer, value2: integer) -> long as first
binary_or(value1: integer, value2: integer) -> long as first
binary_xor(value1: integer, value2: integer) -> long as first
binary_not(value: integer) -> long as first
binary_shift_left(value: integer, shift: integer) -> long as first
binary_shift_right(value: integer, shift: integer) -> long as first
bitset_count_ones(value: integer) -> long as first
around(value: number, center: number, delta: number) -> bool
around(value: datetime, center: datetime, delta: timespan) -> bool
around(value: timespan, center: timespan, delta: timespan) -> bool
iff|iif(if: bool, then: common, else: common) -> common
case(predicate: bool, then: common, else...: common) -> common
coalesce(arg...: common) -> common
max_of(arg1: common, arg2...: common) -> common
min_of(arg1: common, arg2...: common) -> common
not(expression: bool) -> bool
isnull(value: any) -> bool
isnotnull|notnull(value: any) -> bool
isempty(value: any) -> bool
isnotempty|notempty(value: any) -> bool
assert(condition: bool, message: string) -> bool
hash_many(source...: any) -> long
hash_combine(hash1: any, hash2...: any) -> long
hash(source: any, mod?: integer) -> long
hash_xxhash64(source: any, mod?: integer) -> long
hash_sha256(source: any) -> string
hash_sha1(source: any) -> string
hash_md5(source: any) -> string
__hash_crc32(source: any, mod?: integer, seed?: integer) -> long
__hash_djb2(source: any, mod?: integer) -> long
__hash_xxh64(source: any, mod?: integer, seed?: integer) -> long
__hash_many_crc32(arg...: any) -> long
";
