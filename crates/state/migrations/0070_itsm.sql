-- Connections to service desks, with what is known of how they are.
CREATE TABLE itsm_connections (
    connection_id    TEXT PRIMARY KEY,
    name             TEXT NOT NULL UNIQUE,
    partner          TEXT NOT NULL,
    -- JSON: the form without its secrets
    settings         TEXT NOT NULL,
    -- JSON, encrypted
    sealed_secrets   TEXT NOT NULL,
    -- another with every edit of the form
    revision         BIGINT NOT NULL,
    modified_at      BIGINT NOT NULL,
    -- somebody asked for a synchronization then; 0: nobody since the last one
    sync_requested   BIGINT NOT NULL,
    next_sync_at     BIGINT NOT NULL,
    last_sync_at     BIGINT NOT NULL,
    last_success_at  BIGINT NOT NULL,
    -- in a row
    failures         BIGINT NOT NULL,
    -- JSON: what is wrong; empty: nothing
    problem          TEXT NOT NULL,
    -- JSON: what the product offers; empty: not read yet
    configuration    TEXT NOT NULL,
    configuration_at BIGINT NOT NULL
);

-- How far the work items of a kind were read.
CREATE TABLE itsm_positions (
    connection_id TEXT NOT NULL REFERENCES itsm_connections (connection_id) ON DELETE CASCADE,
    kind          TEXT NOT NULL,
    changed_at    BIGINT NOT NULL,
    item_key      TEXT NOT NULL,
    -- 1: until all items of the past days were read once
    is_full       BIGINT NOT NULL,
    -- of the first reading; 0: not known
    total         BIGINT NOT NULL,
    done          BIGINT NOT NULL,
    -- rises with every page
    step          BIGINT NOT NULL,
    PRIMARY KEY (connection_id, kind)
);

-- Which version of a work item the workspace has.
CREATE TABLE itsm_items (
    connection_id TEXT NOT NULL REFERENCES itsm_connections (connection_id) ON DELETE CASCADE,
    kind          TEXT NOT NULL,
    item_key      TEXT NOT NULL,
    number        TEXT NOT NULL,
    title         TEXT NOT NULL,
    computer      TEXT NOT NULL,
    version       TEXT NOT NULL,
    changed_at    BIGINT NOT NULL,
    -- 1: it was removed in the product
    is_gone       BIGINT NOT NULL,
    PRIMARY KEY (connection_id, kind, item_key)
);
CREATE INDEX itsm_items_changed ON itsm_items (connection_id, kind, changed_at);
