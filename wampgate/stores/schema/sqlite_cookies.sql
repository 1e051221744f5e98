-- The table of session cookies, on SQLite.

-- The session cookies of POST /session, where they are kept in the store; nobody can make one of what stands here.
CREATE TABLE IF NOT EXISTS wampgate_cookies (
    cookie  TEXT NOT NULL PRIMARY KEY,  -- the SHA-256 of the realm's name and the cookie, lowercase hexadecimal
    login   TEXT NOT NULL,              -- the login that it stands for: random; sessions that joined by it end with it
    realm   TEXT NOT NULL,              -- the realm it opens
    authid  TEXT NOT NULL,              -- whose it is
    sealed  TEXT NOT NULL,              -- the token, encrypted under a key that is derived from the cookie; empty once the login has ended
    expires REAL NOT NULL               -- until when it is good, in seconds since 1970; the row may go then
);

-- Finds the cookies of one authid, to bound them.
CREATE INDEX IF NOT EXISTS wampgate_cookies_authid ON wampgate_cookies (realm, authid);

-- Finds the login of a session.
CREATE INDEX IF NOT EXISTS wampgate_cookies_login ON wampgate_cookies (login);

-- Finds what is over, to clear it.
CREATE INDEX IF NOT EXISTS wampgate_cookies_expires ON wampgate_cookies (expires);
