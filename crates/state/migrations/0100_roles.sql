-- Roles as data: who has which role where, and the roles that people make. What was given before is moved by the server
-- at its next start: it knows the workspace and the management group that the old names meant.
ALTER TABLE role_assignments RENAME TO old_role_assignments;

CREATE TABLE role_assignments (
    id TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    kind TEXT NOT NULL,
    scope TEXT NOT NULL,
    role_id TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    UNIQUE (subject, scope, role_id)
);

CREATE TABLE custom_roles (
    role_id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    document TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
