CREATE TABLE enrolment_tokens (
    hash TEXT PRIMARY KEY,
    description TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- 0: never
    expires_at BIGINT NOT NULL,
    -- negative: any number
    uses_left BIGINT NOT NULL
);

CREATE TABLE agents (
    agent_id TEXT PRIMARY KEY,
    computer TEXT NOT NULL,
    status TEXT NOT NULL,
    os_name TEXT NOT NULL,
    agent_version TEXT NOT NULL,
    certificate_serial TEXT NOT NULL,
    certificate_not_after BIGINT NOT NULL,
    enrolled_at BIGINT NOT NULL,
    last_seen BIGINT NOT NULL
);
