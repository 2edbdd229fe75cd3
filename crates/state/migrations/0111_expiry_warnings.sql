-- Secrets and certificates that end soon: how far each was warned of, and by which alert. Times are microseconds since the
-- Unix epoch.
CREATE TABLE expiry_warnings (
    item       TEXT PRIMARY KEY,
    -- 1: of 30 days, 2: of 14 days, 3: of 3 days
    stage      BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    alert_id   TEXT NOT NULL
);
