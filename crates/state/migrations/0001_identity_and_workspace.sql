-- Portable between SQLite and PostgreSQL: TEXT and BIGINT alone. Times are seconds since the Unix epoch.
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    sealed BIGINT NOT NULL
);

CREATE TABLE principals (
    client_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE principal_secrets (
    id TEXT PRIMARY KEY,
    client_id TEXT NOT NULL REFERENCES principals (client_id) ON DELETE CASCADE,
    hint TEXT NOT NULL,
    hash TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX principal_secrets_client ON principal_secrets (client_id);

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    hash TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE role_assignments (
    subject TEXT NOT NULL,
    scope TEXT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (subject, scope, role)
);

CREATE TABLE sessions (
    token_digest TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    csrf TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE workspaces (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    primary_key TEXT NOT NULL,
    secondary_key TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE saved_queries (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    category TEXT NOT NULL,
    query TEXT NOT NULL,
    function_alias TEXT NOT NULL,
    function_parameters TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, id)
);

CREATE TABLE data_collection_rules (
    immutable_id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);
