-- The table of principals that show no token, on Postgres.

-- Who joins by something else than a token: a shared secret, a key pair, a certificate.
CREATE TABLE IF NOT EXISTS wampgate_credentials (
    authmethod text NOT NULL,                   -- how: wampcra, scram, cryptosign or tls
    authid     text NOT NULL,                   -- the name that the session gets
    key        text NOT NULL DEFAULT '',        -- cryptosign: the public key; tls: the certificate's SHA-256; lowercase hexadecimal
    role       text,                            -- the authrole; NULL for that of the method's section in router.json
    user_id    text,                            -- whose memberships count, as in organization_members; NULL for nobody's
    data       jsonb NOT NULL DEFAULT '{}',     -- what the method checks, as docs/postgres.md lists it; "extra" goes into WELCOME
    disabled   boolean NOT NULL DEFAULT false,  -- true: as if the row were not there
    expires    timestamptz,                     -- until when it is good; NULL for ever
    PRIMARY KEY (authmethod, authid, key)       -- one row for each way of each name; several keys are several rows
);

-- Finds a principal by its key or certificate.
CREATE INDEX IF NOT EXISTS wampgate_credentials_key ON wampgate_credentials (authmethod, key);
