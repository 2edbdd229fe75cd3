-- Directories (Active Directory, LDAP) whose groups of computers are imported.
CREATE TABLE computer_group_directories (
    source_id       TEXT PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,
    -- JSON: where and what, without the password
    settings        TEXT NOT NULL,
    sealed_password TEXT NOT NULL,
    run_requested   BIGINT NOT NULL,
    next_run_at     BIGINT NOT NULL,
    last_run_at     BIGINT NOT NULL,
    last_success_at BIGINT NOT NULL,
    -- what is wrong; empty: nothing
    problem         TEXT NOT NULL
);
