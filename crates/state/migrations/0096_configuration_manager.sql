-- Connections to Configuration Manager, with what is known of how they are.
CREATE TABLE configuration_managers (
    connection_id   TEXT PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,
    -- JSON: the form without its secrets
    settings        TEXT NOT NULL,
    -- JSON, encrypted
    sealed_secrets  TEXT NOT NULL,
    -- JSON: the site that it leads to
    site            TEXT NOT NULL,
    -- another with every edit of the form
    revision        BIGINT NOT NULL,
    modified_at     BIGINT NOT NULL,
    -- somebody asked for an import then; 0: nobody since the last one
    run_requested   BIGINT NOT NULL,
    next_run_at     BIGINT NOT NULL,
    -- the import that runs, or ran last
    began_at        BIGINT NOT NULL,
    last_run_at     BIGINT NOT NULL,
    last_success_at BIGINT NOT NULL,
    -- the last one that read all members anew
    last_full_at    BIGINT NOT NULL,
    -- in a row
    failures        BIGINT NOT NULL,
    -- JSON: what is wrong; empty: nothing
    problem         TEXT NOT NULL,
    -- JSON: what the last import did; empty: there was none
    outcome         TEXT NOT NULL
);
