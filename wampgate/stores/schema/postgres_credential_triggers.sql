-- The triggers on the table of credentials; they tell by authid, as those of tokens do by user.

-- Tells of credentials that were deleted.
CREATE TRIGGER wampgate_tells_of_delete AFTER DELETE ON wampgate_credentials
REFERENCING OLD TABLE AS wampgate_old FOR EACH STATEMENT EXECUTE FUNCTION wampgate_tell('authid');

-- Tells of credentials that were disabled, or whose key, role or content became another.
CREATE TRIGGER wampgate_tells_of_update AFTER UPDATE ON wampgate_credentials
REFERENCING OLD TABLE AS wampgate_old NEW TABLE AS wampgate_new
FOR EACH STATEMENT EXECUTE FUNCTION wampgate_tell('authid');

-- Tells that all credentials are gone.
CREATE TRIGGER wampgate_tells_of_truncate AFTER TRUNCATE ON wampgate_credentials
FOR EACH STATEMENT EXECUTE FUNCTION wampgate_tell();
