//! Named limits (service limits of Azure Monitor: alerts, action groups).

use crate::Period;

/// How often a rule is evaluated at most, unless the server allows more.
pub const SHORTEST_FREQUENCY: Period = Period::seconds(60);
/// And at least.
pub const LONGEST_FREQUENCY: Period = Period::seconds(86_400);
/// A stateful rule is evaluated at least so often.
pub const LONGEST_STATEFUL_FREQUENCY: Period = Period::seconds(12 * 3600);
/// The longest range of time that a log alert rule looks at.
pub const LONGEST_RANGE: Period = Period::seconds(2 * 86_400);
/// Dimensions of a condition.
pub const MOST_DIMENSIONS: usize = 6;
/// Conditions of a metric alert rule.
pub const MOST_CONDITIONS: usize = 5;
/// All properties of a log alert rule together, in bytes.
pub const MOST_RULE_BYTES: usize = 64 << 10;
/// Characters of the description of a log alert rule; of any other 2,048.
pub const MOST_LOG_DESCRIPTION: usize = 4096;
pub const MOST_DESCRIPTION: usize = 2048;
/// Alerts that one evaluation of a stateful rule fires.
pub const MOST_STATEFUL_FIRED: usize = 300;
/// Alerts that one evaluation of a stateless rule fires.
pub const MOST_STATELESS_FIRED: usize = 6000;
/// Alerts of one stateful rule that are fired at a time.
pub const MOST_FIRED_AT_A_TIME: usize = 5000;
/// Bins of one query: past that, late data and missed evaluations are left out.
pub const MOST_BINS: i64 = 2000;
/// Values of one filter of a processing rule.
pub const MOST_FILTER_VALUES: usize = 5;
/// Receivers of one kind in an action group; mail has its own limit.
pub const MOST_RECEIVERS: usize = 10;
pub const MOST_EMAIL_RECEIVERS: usize = 1000;
/// Characters of a mail address and of a mail.
pub const MOST_ADDRESS: usize = 64;
pub const MOST_MAIL: usize = 55_296;
/// Bytes of one alert in the common schema.
pub const MOST_PAYLOAD_BYTES: usize = 256 << 10;
