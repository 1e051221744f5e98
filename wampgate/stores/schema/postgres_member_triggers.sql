-- The triggers on the table of memberships; for one of your own, see docs/postgres.md.

-- Tells of new memberships, which are effective at once.
CREATE TRIGGER wampgate_tells_of_insert AFTER INSERT ON organization_members
REFERENCING NEW TABLE AS wampgate_new FOR EACH STATEMENT EXECUTE FUNCTION wampgate_tell('user_id');

-- Tells of memberships that ended.
CREATE TRIGGER wampgate_tells_of_delete AFTER DELETE ON organization_members
REFERENCING OLD TABLE AS wampgate_old FOR EACH STATEMENT EXECUTE FUNCTION wampgate_tell('user_id');

-- Tells of memberships whose user, organization or role became another.
CREATE TRIGGER wampgate_tells_of_update AFTER UPDATE ON organization_members
REFERENCING OLD TABLE AS wampgate_old NEW TABLE AS wampgate_new
FOR EACH STATEMENT EXECUTE FUNCTION wampgate_tell('user_id');

-- Tells that all memberships are gone.
CREATE TRIGGER wampgate_tells_of_truncate AFTER TRUNCATE ON organization_members
FOR EACH STATEMENT EXECUTE FUNCTION wampgate_tell();
