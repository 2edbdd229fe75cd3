-- Connections of the management group to workspaces that have a map.
CREATE TABLE service_map_connections (
    connection_id TEXT PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    -- JSON: all that is set, but the secret
    settings      TEXT NOT NULL,
    sealed_secret TEXT NOT NULL,
    -- microseconds since the Unix epoch, as all times here
    changed_at    BIGINT NOT NULL,
    -- JSON: what the last synchronization did; empty before the first
    last_sync     TEXT NOT NULL,
    began_at      BIGINT NOT NULL,
    -- when somebody asked for a synchronization last, and by which name it is known
    wanted_at     BIGINT NOT NULL,
    wanted_run    TEXT NOT NULL
);
-- Dependency views as they were synchronized last.
CREATE TABLE service_map_views (
    view_id       TEXT PRIMARY KEY,
    connection_id TEXT NOT NULL REFERENCES service_map_connections (connection_id) ON DELETE CASCADE,
    -- JSON: members with where they stand, and who calls whom
    document      TEXT NOT NULL
);
CREATE INDEX service_map_views_connection ON service_map_views (connection_id);
-- What people put into a view and took out of it; kept while the view is away.
CREATE TABLE service_map_edits (
    view_id       TEXT NOT NULL,
    member_id     TEXT NOT NULL,
    connection_id TEXT NOT NULL REFERENCES service_map_connections (connection_id) ON DELETE CASCADE,
    -- added or removed
    change        TEXT NOT NULL,
    changed_by    TEXT NOT NULL,
    changed_at    BIGINT NOT NULL,
    PRIMARY KEY (view_id, member_id)
);
