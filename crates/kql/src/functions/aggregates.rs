//! The aggregates of `summarize`, `make-series`, `top-nested`, `pivot` (reference: "Aggregation functions").

pub(super) const TABLE: &str = "
sum(expr: summable) -> promoted as prefix sum
sumif(expr: summable, predicate: bool) -> promoted as prefix sumif
count|cnt() -> long as prefix count
count(predicate: bool) -> long as prefix count
countif(predicate: bool) -> long as prefix countif
dcount(expr: any, accuracy?: integer) -> long as prefix dcount
dcountif(expr: any, predicate: bool, accuracy?: integer) -> long as prefix dcountif
count_distinct(expr: any) -> long as prefix count_distinct
count_distinctif(expr: any, predicate: bool) -> long as prefix count_distinctif
tdigest(expr: summable, weight?: integer) -> dynamic as prefix tdigest
tdigest_merge|merge_tdigest(tdigest: dynamic) -> dynamic as prefix merge_tdigests
hll(expr: any, accuracy?: integer) -> dynamic as prefix hll
hll_if(expr: any, predicate: bool, accuracy?: integer) -> dynamic as prefix hll_if
hll_merge(hll: dynamic) -> dynamic as prefix hll_merge
min(expr: any) -> same as prefix min
minif(expr: any, predicate: bool) -> same as prefix minif
max(expr: any) -> same as prefix max
maxif(expr: any, predicate: bool) -> same as prefix maxif
avg(expr: integer) -> real as prefix avg
avg(expr: summable) -> same as prefix avg
avgif(expr: integer, predicate: bool) -> real as prefix avgif
avgif(expr: summable, predicate: bool) -> same as prefix avgif
make_list|makelist(expr: any, max_size?: integer) -> dynamic as prefix list
make_list_if(expr: any, predicate: bool, max_size?: integer) -> dynamic as prefix list
make_list_with_nulls(expr: any) -> dynamic as prefix list
make_set|makeset(expr: any, max_size?: integer) -> dynamic as prefix set
make_set_if(expr: any, predicate: bool, max_size?: integer) -> dynamic as prefix set
passthrough(expr: any) -> same as first
make_bag(expr: dynamic, max_size?: integer) -> dynamic as prefix bag
make_dictionary(expr: dynamic, max_size?: integer) -> dynamic as prefix dictionary
make_bag_if(expr: dynamic, predicate: bool, max_size?: integer) -> dynamic as prefix bag
buildschema(expr: dynamic) -> dynamic as prefix schema
binary_all_or(expr: integer) -> same as first
binary_all_and(expr: integer) -> same as first
binary_all_xor(expr: integer) -> same as first
percentile(expr: summable, percentile: number) -> special
percentiles(expr: summable, percentile...: number) -> special
percentiles_array(expr: summable, percentile...: number|dynamic) -> dynamic as prefix percentiles
percentilew(expr: summable, weight: integer, percentile: number) -> special
percentilesw(expr: summable, weight: integer, percentile...: number) -> special
percentilesw_array(expr: summable, weight: integer, percentile...: number|dynamic) -> dynamic as prefix percentiles
stdev(expr: number) -> real as prefix stdev
stdevif(expr: number, predicate: bool) -> real as prefix stdevif
stdevp(expr: number) -> real as prefix stdevp
variance(expr: number) -> real as prefix variance
varianceif(expr: number, predicate: bool) -> real as prefix varianceif
variancep(expr: number) -> real as prefix variancep
variancepif(expr: number, predicate: bool) -> real as prefix variancepif
covariance(expr1: real, expr2: real) -> real as prefix covariance
covarianceif(expr1: real, expr2: real, predicate: bool) -> real as prefix covarianceif
covariancep(expr1: real, expr2: real) -> real as prefix covariancep
covariancepif(expr1: real, expr2: real, predicate: bool) -> real as prefix covariancepif
take_any|any(expr...: any) -> special
take_anyif|anyif(expr: any, predicate: bool) -> same as first
arg_max|argmax(maximized: any, returned?...: any) -> special
arg_min|argmin(minimized: any, returned?...: any) -> special
";
