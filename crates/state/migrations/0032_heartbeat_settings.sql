-- How agents are watched.
CREATE TABLE heartbeat_settings (
    -- empty: all agents without settings of their own
    agent_id         TEXT PRIMARY KEY,
    interval_seconds BIGINT NOT NULL,
    -- missed heartbeats that are allowed; the next one is the failure
    allowed_misses   BIGINT NOT NULL
);
