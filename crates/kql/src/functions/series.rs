//! Functions on series, and on the sketches of `tdigest` and `hll` (reference: "Series processing").

pub(super) const TABLE: &str = "
percentile_tdigest(tdigest: dynamic, percentile: real) -> dynamic as name_first
percentile_tdigest(tdigest: dynamic, percentile: real, type: type) -> type_argument as name_first
percentiles_array_tdigest(tdigest: dynamic, percentile...: real) -> dynamic as prefix percentile_tdigest
percentiles_array_tdigest(tdigest: dynamic, percentiles: dynamic) -> dynamic as prefix percentile_tdigest
percentrank_tdigest(tdigest: dynamic, value: any) -> real
rank_tdigest(tdigest: dynamic, value: any) -> real
tdigest_isvalid(tdigest: dynamic, value: any) -> bool
hll_isvalid(hll: dynamic, value: any) -> bool
tdigest_merge|merge_tdigest(tdigest1: dynamic, tdigest2...: dynamic) -> dynamic as only_prefix tdigests_merge_result
hll_merge(hll1: dynamic, hll2...: dynamic) -> dynamic as only_prefix hll_merged_result
dcount_hll(hll: dynamic) -> long as name_first
__hll_normalize(hll: dynamic, hll2...: dynamic) -> dynamic as first
series_fir(series: dynamic, filter: dynamic, normalize?: bool, center?: bool) -> dynamic as first
series_iir(series: dynamic, numerators: dynamic, denominators: dynamic) -> dynamic as first
series_stats(series: dynamic, ignore_nonfinite?: bool) -> tuple(min: real, min_idx: long, max: real, max_idx: long, avg: real, stdev: real, variance: real)
series_stats_dynamic(series: dynamic, ignore_nonfinite?: bool) -> dynamic
series_fft(series: dynamic, series_imaginary?: dynamic) -> tuple(real: dynamic, imag: dynamic)
series_ifft(series: dynamic, series_imaginary?: dynamic) -> tuple(real: dynamic, imag: dynamic)
series_fit_poly(y_series: dynamic, x_series?: dynamic|integer, degree?: integer) -> tuple(rsquare: real, coefficients: dynamic, variance: real, rvariance: real, poly_fit: dynamic)
series_fit_line(series: dynamic) -> tuple(rsquare: real, slope: real, variance: real, rvariance: real, interception: real, line_fit: dynamic)
series_fit_line_dynamic(series: dynamic) -> dynamic
series_fit_2lines(series: dynamic) -> tuple(rsquare: real, split_idx: long, variance: real, rvariance: real, line_fit: dynamic, right_rsquare: real, right_slope: real, right_interception: real, right_variance: real, right_rvariance: real, left_rsquare: real, left_slope: real, left_interception: real, left_variance: real, left_rvariance: real)
series_fit_2lines_dynamic(series: dynamic) -> dynamic
series_outliers(series: dynamic, kind?: string, ignore_val?: number, min_percentile?: real, max_percentile?: real, test_points?: integer) -> dynamic as first
series_periods_detect(series: dynamic, min_period: real, max_period: real, num_periods: long) -> tuple(periods: dynamic, scores: dynamic)
series_periods_validate(series: dynamic, period...: real) -> tuple(periods: dynamic, scores: dynamic)
series_fill_backward(series: dynamic, missing_value_placeholder?: any) -> dynamic as first
series_fill_forward(series: dynamic, missing_value_placeholder?: any) -> dynamic as first
series_fill_const(series: dynamic, constant_value?: any, missing_value_placeholder?: any) -> dynamic as first
series_fill_linear(series: dynamic, missing_value_placeholder?: any, fill_edges?: bool, constant_value?: any) -> dynamic as first
series_add(series1: dynamic|number, series2: dynamic|number) -> dynamic
series_subtract(series1: dynamic|number, series2: dynamic|number) -> dynamic
series_multiply(series1: dynamic|number, series2: dynamic|number) -> dynamic
series_divide(series1: dynamic|number, series2: dynamic|number) -> dynamic
series_pow(series1: dynamic|number, series2: dynamic|number) -> dynamic
series_greater(series1: dynamic|number, series2: dynamic|number) -> dynamic
series_greater_equals(series1: dynamic|number, series2: dynamic|number) -> dynamic
series_less(series1: dynamic|number, series2: dynamic|number) -> dynamic
series_less_equals(series1: dynamic|number, series2: dynamic|number) -> dynamic
series_equals(series1: dynamic|number, series2: dynamic|number) -> dynamic
series_not_equals(series1: dynamic|number, series2: dynamic|number) -> dynamic
series_seasonal(series: dynamic, period?: integer, test_points?: integer) -> dynamic
series_exp(series: dynamic) -> dynamic
series_sign(series: dynamic) -> dynamic
series_abs(series: dynamic) -> dynamic
series_sin(series: dynamic) -> dynamic
series_asin(series: dynamic) -> dynamic
series_cos(series: dynamic) -> dynamic
series_acos(series: dynamic) -> dynamic
series_tan(series: dynamic) -> dynamic
series_atan(series: dynamic) -> dynamic
series_log(series: dynamic) -> dynamic
series_floor(series: dynamic) -> dynamic
series_ceiling(series: dynamic) -> dynamic
series_magnitude(series: dynamic) -> real
series_sum(series: dynamic) -> real
series_product(series: dynamic) -> real
series_pearson_correlation(series1: dynamic, series2: dynamic) -> real
series_dot_product(series1: dynamic|number, series2: dynamic|number) -> real
series_cosine_similarity(series1: dynamic, series2: dynamic, magnitude1?: real, magnitude2?: real) -> real
series_decompose(series: dynamic, seasonality?: integer, trend?: string, test_points?: integer, seasonality_threshold?: real) -> tuple(baseline: dynamic, seasonal: dynamic, trend: dynamic, residual: dynamic)
series_decompose_forecast(series: dynamic, points: integer, seasonality?: integer, trend?: string, seasonality_threshold?: real) -> tuple(forecast: dynamic, seasonal: dynamic, trend: dynamic, residual: dynamic)
series_decompose_anomalies(series: dynamic, threshold?: real, seasonality?: integer, trend?: string, test_points?: integer, method?: string, seasonality_threshold?: real) -> tuple(ad_flag: dynamic, ad_score: dynamic, baseline: dynamic)
";
