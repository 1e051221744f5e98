-- The tables that wampgate asks, for new installations on SQLite; existing tables are left as they are.

-- Who holds which access token; column names as in bshaffer's oauth2-server.
CREATE TABLE IF NOT EXISTS oauth_access_tokens (
    access_token TEXT NOT NULL PRIMARY KEY,  -- the lowercase hexadecimal SHA-256 of the token, or with token_hash "plain" itself
    client_id    TEXT NOT NULL,              -- the OAuth application the token was issued to
    user_id      TEXT,                       -- whose token it is: the authid; NULL for an application's own token, which opens nothing
    expires,                                 -- until when it is good: 'YYYY-MM-DD HH:MM:SS' or seconds since 1970; NULL is refused unless allow_null_expires is set
    scope        TEXT                        -- what the token was issued for, separated by blanks; not looked at
);

-- Finds the tokens of one user, to revoke them.
CREATE INDEX IF NOT EXISTS oauth_access_tokens_user_id ON oauth_access_tokens (user_id);

-- Who belongs to which organization.
CREATE TABLE IF NOT EXISTS organization_members (
    organization_id TEXT NOT NULL,             -- the organization: 1 to 64 of A-Z a-z 0-9 _ -; compared byte for byte
    user_id         TEXT NOT NULL,             -- the member, as in oauth_access_tokens
    role            TEXT NOT NULL DEFAULT '',  -- the member's role there; empty for a plain member
    PRIMARY KEY (user_id, organization_id)     -- in this order, since it is asked by user
);

-- Finds the members of one organization.
CREATE INDEX IF NOT EXISTS organization_members_organization_id ON organization_members (organization_id);
