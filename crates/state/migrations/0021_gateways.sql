-- Gateways: processes that carry the agents of another trust zone.
CREATE TABLE gateways (
    gateway_id    TEXT PRIMARY KEY,
    name          TEXT NOT NULL,
    -- what its certificate is good for as a server, separated by spaces
    names         TEXT NOT NULL,
    -- pending, approved
    status        TEXT NOT NULL,
    certificate_serial TEXT NOT NULL,
    enrolled_at   BIGINT NOT NULL,
    last_seen     BIGINT NOT NULL
);

-- Which agents a gateway may speak for.
CREATE TABLE gateway_agents (
    agent_id   TEXT PRIMARY KEY,
    gateway_id TEXT NOT NULL
);
CREATE INDEX gateway_agents_gateway ON gateway_agents (gateway_id);
