-- The triggers on a table that decides about tokens; {table} and {arguments} stand for its name and what wampgate_tell takes.

-- Tells of tokens that were deleted.
CREATE TRIGGER wampgate_tells_of_delete AFTER DELETE ON {table}
REFERENCING OLD TABLE AS wampgate_old FOR EACH STATEMENT EXECUTE FUNCTION wampgate_tell({arguments});

-- Tells of tokens that were shortened, extended, marked as revoked or given to somebody else.
CREATE TRIGGER wampgate_tells_of_update AFTER UPDATE ON {table}
REFERENCING OLD TABLE AS wampgate_old NEW TABLE AS wampgate_new
FOR EACH STATEMENT EXECUTE FUNCTION wampgate_tell({arguments});

-- Tells that all tokens are gone.
CREATE TRIGGER wampgate_tells_of_truncate AFTER TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION wampgate_tell();
