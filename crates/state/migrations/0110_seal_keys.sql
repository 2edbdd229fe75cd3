-- Which keys the secrets of this store are encrypted with; the keys themselves are with the servers. Times are
-- microseconds since the Unix epoch.
CREATE TABLE seal_keys (
    -- current: what secrets are encrypted with; next: what they will be encrypted with; past: what they were encrypted
    -- with until now, while a server may still use it
    place      TEXT PRIMARY KEY,
    key_id     TEXT NOT NULL,
    -- the key for the other servers, encrypted with the one before it; empty: there is nobody to give it to
    wrapped    TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);
-- Which servers have the next key, and which encrypt with the current one while there is a past one.
CREATE TABLE seal_key_holders (
    server_id TEXT PRIMARY KEY,
    key_id    TEXT NOT NULL,
    is_used   BIGINT NOT NULL,
    noted_at  BIGINT NOT NULL
);
