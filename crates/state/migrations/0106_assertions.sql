-- Assertions of applications that were taken, each once, until they end.
CREATE TABLE used_assertions (
    client_id  TEXT NOT NULL,
    identity   TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (client_id, identity)
);
CREATE INDEX used_assertions_expires ON used_assertions (expires_at);
