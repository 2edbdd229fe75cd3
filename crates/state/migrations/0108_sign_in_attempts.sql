-- Sign-ins through a provider that are under way: what has to come back, by the SHA-256 of what the browser holds.
CREATE TABLE sign_in_attempts (
    digest     TEXT PRIMARY KEY,
    provider   TEXT NOT NULL,
    nonce      TEXT NOT NULL,
    -- sealed: proves to the provider that this server began the sign-in
    verifier   TEXT NOT NULL,
    -- the console's page to go on with
    return_to  TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
