-- Lets Postgres tell wampgate at once when a token or a membership changes; for existing tables, see docs/postgres.md.

-- Tells on the channel "wampgate" whose rows a statement touched: user ids, never a token. Its argument is the column that
-- holds the user id (default: user_id). Above 100 users it tells that everything may have changed. It never fails, so the
-- statement and its transaction never do because of it: what is not told, wampgate finds by asking again.
CREATE OR REPLACE FUNCTION wampgate_tell() RETURNS trigger
LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    touched CONSTANT text := CASE TG_OP
        WHEN 'INSERT' THEN 'SELECT %1$I AS id FROM wampgate_new'
        WHEN 'DELETE' THEN 'SELECT %1$I AS id FROM wampgate_old'
        ELSE 'SELECT %1$I AS id FROM wampgate_old UNION ALL SELECT %1$I FROM wampgate_new' END;
    users text[];
    payload text := '{"everything": true}';
BEGIN
    -- A full queue would make COMMIT fail, where nothing can catch it.
    IF pg_notification_queue_usage() > 0.5 THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'TRUNCATE' THEN
        BEGIN
            EXECUTE format(
                'SELECT array_agg(id) FROM (SELECT DISTINCT id::text FROM (' || touched || ') AS touched'
                ' WHERE id IS NOT NULL LIMIT 101) AS users', coalesce(TG_ARGV[0], 'user_id')) INTO users;
            IF users IS NULL THEN
                RETURN NULL;
            END IF;
            -- A payload has to be shorter than 8000 bytes.
            IF cardinality(users) <= 100 AND octet_length(json_build_object('users', users)::text) < 7900 THEN
                payload := json_build_object('users', users)::text;
            END IF;
        EXCEPTION WHEN OTHERS THEN
            -- There is no such column, say: then at least this is told.
            payload := '{"everything": true}';
        END;
    END IF;
    PERFORM pg_notify('wampgate', payload);
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$$;

-- Tells of tokens that were deleted.
CREATE TRIGGER wampgate_tells_of_delete AFTER DELETE ON oauth_access_tokens
REFERENCING OLD TABLE AS wampgate_old FOR EACH STATEMENT EXECUTE FUNCTION wampgate_tell('user_id');

-- Tells of tokens that were shortened, extended, marked as revoked or given to somebody else.
CREATE TRIGGER wampgate_tells_of_update AFTER UPDATE ON oauth_access_tokens
REFERENCING OLD TABLE AS wampgate_old NEW TABLE AS wampgate_new
FOR EACH STATEMENT EXECUTE FUNCTION wampgate_tell('user_id');

-- Tells that all tokens are gone.
CREATE TRIGGER wampgate_tells_of_truncate AFTER TRUNCATE ON oauth_access_tokens
FOR EACH STATEMENT EXECUTE FUNCTION wampgate_tell();

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
