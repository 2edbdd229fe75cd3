-- Alert rules over tables, action groups and processing rules; what rules remember; the queue of deliveries. Times are
-- microseconds since the Unix epoch, 0 for never.

-- A document is the resource as it was sent, with what the server adds; sealed where it has secrets.
CREATE TABLE alerting_resources (
    kind         TEXT NOT NULL,
    resource_key TEXT NOT NULL,
    document     TEXT NOT NULL,
    sealed       BIGINT NOT NULL,
    modified_at  BIGINT NOT NULL,
    modified_by  TEXT NOT NULL,
    PRIMARY KEY (kind, resource_key)
);

-- What is remembered of a rule between its evaluations.
CREATE TABLE alert_rule_runs (
    rule_key TEXT PRIMARY KEY,
    -- the end of the newest window that was evaluated
    last_end BIGINT NOT NULL,
    document TEXT NOT NULL
);

-- Alerts that fired or were resolved and of which nobody has been told: left with the change of the alert.
CREATE TABLE alert_notices (
    notice_id  TEXT PRIMARY KEY,
    alert_id   TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    document   TEXT NOT NULL
);
CREATE INDEX alert_notices_time ON alert_notices (created_at);

-- One receiver of one action group is told of one event. Of a lane (one alert, one receiver) the oldest goes first.
CREATE TABLE alert_deliveries (
    delivery_id   TEXT PRIMARY KEY,
    lane          TEXT NOT NULL,
    endpoint      TEXT NOT NULL,
    alert_id      TEXT NOT NULL,
    -- 0 waits, 1 delivered, 2 dead
    status        BIGINT NOT NULL,
    attempts      BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    next_at       BIGINT NOT NULL,
    finished_at   BIGINT NOT NULL,
    claimed_by    TEXT NOT NULL,
    claimed_until BIGINT NOT NULL,
    document      TEXT NOT NULL
);
CREATE INDEX alert_deliveries_due ON alert_deliveries (next_at) WHERE status = 0;
CREATE INDEX alert_deliveries_lane ON alert_deliveries (lane, created_at) WHERE status = 0;
CREATE INDEX alert_deliveries_endpoint ON alert_deliveries (endpoint, finished_at);
CREATE INDEX alert_deliveries_alert ON alert_deliveries (alert_id);
CREATE INDEX alert_deliveries_time ON alert_deliveries (created_at);

-- Endpoints that failed a series of tries and are left alone.
CREATE TABLE alert_endpoints (
    endpoint      TEXT PRIMARY KEY,
    resting_until BIGINT NOT NULL
);
