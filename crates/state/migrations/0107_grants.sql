-- What people grant to applications: codes, device codes, refresh tokens, each by the SHA-256 of what the client holds.
ALTER TABLE principals ADD COLUMN is_public BIGINT NOT NULL DEFAULT 0;
-- JSON: a list of addresses
ALTER TABLE principals ADD COLUMN redirect_uris TEXT NOT NULL DEFAULT '[]';

CREATE TABLE authorization_codes (
    digest     TEXT PRIMARY KEY,
    -- what comes of this sign-in is revoked together
    family     TEXT NOT NULL,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id  TEXT NOT NULL,
    -- JSON: redirect address, challenge, scopes, nonce, generation of the user's tokens
    request    TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- 0: not yet
    used_at    BIGINT NOT NULL
);

CREATE TABLE device_codes (
    digest     TEXT PRIMARY KEY,
    -- what the person types
    user_code  TEXT NOT NULL UNIQUE,
    client_id  TEXT NOT NULL,
    -- JSON: scopes
    request    TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    asked_at   BIGINT NOT NULL,
    -- pending, granted, declined
    status     TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    generation BIGINT NOT NULL
);

CREATE TABLE refresh_tokens (
    digest     TEXT PRIMARY KEY,
    family     TEXT NOT NULL,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id  TEXT NOT NULL,
    -- JSON: scopes
    request    TEXT NOT NULL,
    -- of the user's tokens
    generation BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_user ON refresh_tokens (user_id);
