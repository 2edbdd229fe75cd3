-- What waits on the disk of each gateway, as it said last. Times are microseconds since the Unix epoch, 0 for none.
CREATE TABLE gateway_queues (
    gateway_id  TEXT PRIMARY KEY,
    batches     BIGINT NOT NULL,
    -- rows and items in them
    row_count   BIGINT NOT NULL,
    bytes       BIGINT NOT NULL,
    -- past which agents keep their batches
    limit_bytes BIGINT NOT NULL,
    -- when the oldest came to the gateway
    oldest      BIGINT NOT NULL,
    -- agents that were connected
    connected   BIGINT NOT NULL,
    -- by the gateway's clock
    looked_at   BIGINT NOT NULL,
    -- by the server's clock
    reported_at BIGINT NOT NULL
);
