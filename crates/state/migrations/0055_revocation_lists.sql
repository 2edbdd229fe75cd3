-- Lists of revoked certificates that authorities of others have issued.
CREATE TABLE revocation_lists (
    id           TEXT PRIMARY KEY,
    -- SHA-256 of the issuer's name
    issuer       TEXT NOT NULL,
    issuer_name  TEXT NOT NULL,
    -- certificates, beside the trusted ones, that its signature may be of
    certificates TEXT NOT NULL,
    -- where it is fetched again; empty: it was given as a file
    url          TEXT NOT NULL,
    this_update  BIGINT NOT NULL,
    -- 0: none was promised
    next_update  BIGINT NOT NULL,
    -- a line each: serial number, seconds since 1970, reason
    revoked      TEXT NOT NULL,
    looked_at    BIGINT NOT NULL,
    -- why the last look failed; empty: it did not
    problem      TEXT NOT NULL,
    added_at     BIGINT NOT NULL,
    added_by     TEXT NOT NULL
);
