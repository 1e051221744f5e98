-- The table of principals that show no token, on SQLite.

-- Who joins by something else than a token: a shared secret, a key pair, a certificate.
CREATE TABLE IF NOT EXISTS wampgate_credentials (
    authmethod TEXT NOT NULL,               -- how: wampcra, scram, cryptosign or tls
    authid     TEXT NOT NULL,               -- the name that the session gets
    key        TEXT NOT NULL DEFAULT '',    -- cryptosign: the public key; tls: the certificate's SHA-256; lowercase hexadecimal
    role       TEXT,                        -- the authrole; NULL for that of the method's section in router.json
    user_id    TEXT,                        -- whose memberships count, as in organization_members; NULL for nobody's
    data       TEXT NOT NULL DEFAULT '{}',  -- what the method checks, as docs/postgres.md lists it, in JSON; "extra" goes into WELCOME
    disabled   INTEGER NOT NULL DEFAULT 0,  -- not 0: as if the row were not there
    expires,                                -- until when it is good: 'YYYY-MM-DD HH:MM:SS' or seconds since 1970; NULL for ever
    PRIMARY KEY (authmethod, authid, key)   -- one row for each way of each name; several keys are several rows
);

-- Finds a principal by its key or certificate.
CREATE INDEX IF NOT EXISTS wampgate_credentials_key ON wampgate_credentials (authmethod, key);
