-- Authorities of others whose certificates are taken.
CREATE TABLE certificate_authorities (
    -- SHA-256 of the certificate
    fingerprint TEXT PRIMARY KEY,
    subject     TEXT NOT NULL,
    pem         TEXT NOT NULL,
    not_after   BIGINT NOT NULL,
    added_at    BIGINT NOT NULL,
    added_by    TEXT NOT NULL
);

-- Certificates that are refused, whoever issued them.
CREATE TABLE revoked_certificates (
    -- SHA-256 of the issuer's name
    issuer     TEXT NOT NULL,
    serial     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    reason     TEXT NOT NULL,
    revoked_at BIGINT NOT NULL,
    revoked_by TEXT NOT NULL,
    PRIMARY KEY (issuer, serial)
);

-- The certificate that an agent or a gateway came with last.
CREATE TABLE shown_certificates (
    agent_id    TEXT PRIMARY KEY,
    subject     TEXT NOT NULL,
    issuer_name TEXT NOT NULL,
    issuer      TEXT NOT NULL,
    serial      TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    -- of the trusted authority; empty: the management group's own
    authority   TEXT NOT NULL,
    not_before  BIGINT NOT NULL,
    not_after   BIGINT NOT NULL,
    seen_at     BIGINT NOT NULL
);
