-- Where agents reach a server, as `host:port`; empty: it does not say.
ALTER TABLE servers ADD COLUMN agent_endpoint TEXT NOT NULL DEFAULT '';

-- Batches of rows of agents that a server has taken (their number is in high_water, lane 'rows') and not yet written to
-- its tables. The payload is a compressed Rows message in base64.
CREATE TABLE row_batches (
    server_id   TEXT NOT NULL,
    agent_id    TEXT NOT NULL,
    queue       TEXT NOT NULL,
    sequence    BIGINT NOT NULL,
    computer    TEXT NOT NULL,
    compression BIGINT NOT NULL,
    payload     TEXT NOT NULL,
    PRIMARY KEY (agent_id, queue, sequence)
);
CREATE INDEX row_batches_server ON row_batches (server_id);
