-- Groups of machines on the map, as the Service Map API keeps them.
CREATE TABLE machine_groups (
    id           TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    display_name TEXT NOT NULL,
    -- changes with every write
    etag         TEXT NOT NULL,
    -- JSON: its machines with what was known of them at the last write
    machines     TEXT NOT NULL,
    updated_at   BIGINT NOT NULL
);
CREATE INDEX machine_groups_workspace ON machine_groups (workspace_id);
