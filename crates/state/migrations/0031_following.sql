-- Servers over one store follow one another: rows that they keep in memory say which change (locks.taken of
-- 'operational') wrote them last.
ALTER TABLE monitor_states ADD COLUMN change_number BIGINT NOT NULL DEFAULT 0;
CREATE INDEX monitor_states_change ON monitor_states (change_number);
ALTER TABLE discovery_data ADD COLUMN change_number BIGINT NOT NULL DEFAULT 0;
CREATE INDEX discovery_data_change ON discovery_data (change_number);

-- what discoveries no longer find; kept for as long as a server may be behind
CREATE TABLE discovery_gone (
    discovery     TEXT NOT NULL,
    target        TEXT NOT NULL,
    change_number BIGINT NOT NULL,
    -- microseconds since 1970
    gone_at       BIGINT NOT NULL,
    PRIMARY KEY (discovery, target)
);
CREATE INDEX discovery_gone_change ON discovery_gone (change_number);

CREATE INDEX agents_seen ON agents (last_seen);

-- which change was the last of packs and overrides, and of accounts
INSERT INTO locks (name, taken) VALUES ('library', 0), ('accounts', 0);
