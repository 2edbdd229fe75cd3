-- Users with what is known of them, groups of users and service principals, certificates and named secrets of
-- principals, sessions that can be listed.
ALTER TABLE users ADD COLUMN display_name TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN mail TEXT NOT NULL DEFAULT '';
-- who says that it is this person: empty for a password kept here, or the name of a provider or directory
ALTER TABLE users ADD COLUMN provider TEXT NOT NULL DEFAULT '';
-- how that one calls the person
ALTER TABLE users ADD COLUMN provider_subject TEXT NOT NULL DEFAULT '';
-- 0: may sign in
ALTER TABLE users ADD COLUMN disabled_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN signed_in_at BIGINT NOT NULL DEFAULT 0;
-- counts how often the user was signed out everywhere: tokens of an earlier generation are refused
ALTER TABLE users ADD COLUMN token_generation BIGINT NOT NULL DEFAULT 0;
CREATE INDEX users_provider ON users (provider, provider_subject);

ALTER TABLE principal_secrets ADD COLUMN name TEXT NOT NULL DEFAULT '';

CREATE TABLE principal_certificates (
    client_id         TEXT NOT NULL REFERENCES principals (client_id) ON DELETE CASCADE,
    -- SHA-256 of the certificate, upper case hexadecimal digits; thumbprint is its SHA-1
    thumbprint_sha256 TEXT NOT NULL,
    thumbprint        TEXT NOT NULL,
    name              TEXT NOT NULL,
    subject           TEXT NOT NULL,
    -- PEM
    certificate       TEXT NOT NULL,
    created_at        BIGINT NOT NULL,
    not_before        BIGINT NOT NULL,
    expires_at        BIGINT NOT NULL,
    PRIMARY KEY (client_id, thumbprint_sha256)
);

CREATE TABLE directory_groups (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    created_at  BIGINT NOT NULL
);

CREATE TABLE directory_group_members (
    group_id TEXT NOT NULL REFERENCES directory_groups (id) ON DELETE CASCADE,
    -- the id of a user or the client id of a service principal
    member   TEXT NOT NULL,
    -- empty: put there by hand; otherwise the provider that says so at each sign-in
    provider TEXT NOT NULL,
    PRIMARY KEY (group_id, member)
);
CREATE INDEX directory_group_members_member ON directory_group_members (member);

-- sessions get an identity that can be shown; those of before end
DELETE FROM sessions;
ALTER TABLE sessions ADD COLUMN id TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN client TEXT NOT NULL DEFAULT '';
CREATE INDEX sessions_user ON sessions (user_id);
