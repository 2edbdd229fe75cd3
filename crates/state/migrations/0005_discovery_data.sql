-- what each discovery found for an object, as it is applied again when a server starts
CREATE TABLE discovery_data (
    discovery TEXT NOT NULL,
    target TEXT NOT NULL,
    agent_id TEXT NOT NULL,
    document TEXT NOT NULL,
    found_at BIGINT NOT NULL,
    PRIMARY KEY (discovery, target)
);
