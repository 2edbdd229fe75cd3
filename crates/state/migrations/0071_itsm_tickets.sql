-- Work items that were made of alerts, by what names them in the product.
CREATE TABLE itsm_tickets (
    connection_id  TEXT NOT NULL REFERENCES itsm_connections (connection_id) ON DELETE CASCADE,
    correlation_id TEXT NOT NULL,
    kind           TEXT NOT NULL,
    -- of the product; empty: it was asked for, and it is not known whether it was made
    ticket_key     TEXT NOT NULL,
    number         TEXT NOT NULL,
    link           TEXT NOT NULL,
    is_open        BIGINT NOT NULL,
    -- when the product was last asked to make it
    attempted_at   BIGINT NOT NULL,
    -- the last delivery that was carried out
    delivery_id    TEXT NOT NULL,
    changed_at     BIGINT NOT NULL,
    PRIMARY KEY (connection_id, correlation_id)
);
