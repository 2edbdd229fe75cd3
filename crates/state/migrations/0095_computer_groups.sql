-- Groups of computers of the workspace that are not queries: their sources, the groups, and who is in them.
CREATE TABLE computer_group_sources (
    source_id  TEXT PRIMARY KEY,
    -- SCCM, ActiveDirectory, Manual
    kind       TEXT NOT NULL,
    -- the time of the last rows of the table ComputerGroup; 0: none
    rows_at    BIGINT NOT NULL,
    -- 0: those rows are not all written yet
    rows_done  BIGINT NOT NULL,
    -- different computers in its groups
    computers  BIGINT NOT NULL
);

CREATE TABLE computer_groups (
    group_id            TEXT PRIMARY KEY,
    source_id           TEXT NOT NULL REFERENCES computer_group_sources (source_id) ON DELETE CASCADE,
    -- what the source calls it: the id of a collection, the name of a directory's group
    source_key          TEXT NOT NULL,
    name                TEXT NOT NULL,
    full_name           TEXT NOT NULL,
    source_name         TEXT NOT NULL,
    -- queries call it by this name; empty: by none
    alias               TEXT NOT NULL,
    -- 1: it is a group of the management group too
    in_management_group BIGINT NOT NULL,
    -- which of the lists of members holds
    version             BIGINT NOT NULL,
    members             BIGINT NOT NULL,
    -- another one for other members, as the source says; empty: it does not say
    fingerprint         TEXT NOT NULL,
    changed_at          BIGINT NOT NULL
);
CREATE UNIQUE INDEX computer_groups_key ON computer_groups (source_id, source_key);

-- Members in parts: names of computers, a line each.
CREATE TABLE computer_group_members (
    source_id TEXT NOT NULL,
    group_id  TEXT NOT NULL,
    version   BIGINT NOT NULL,
    part      BIGINT NOT NULL,
    names     TEXT NOT NULL,
    PRIMARY KEY (group_id, version, part)
);
CREATE INDEX computer_group_members_source ON computer_group_members (source_id);
