-- rows for the workspace that belong to changes of operational data, until the workspace has them
CREATE TABLE outbox (
    server_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    payload TEXT NOT NULL,
    PRIMARY KEY (server_id, sequence)
);
