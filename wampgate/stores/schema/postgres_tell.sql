-- Lets Postgres tell wampgate at once when a token or a membership changes; for existing tables, see docs/postgres.md.

-- Tells on the channel "wampgate" whose rows a statement touched: user ids, never a token. Its first argument is the column
-- that holds the user id (default: user_id). Where that column is the key of another table's row instead, three more name that
-- table (in the same schema), its key's column and its column with the user id. Above 100 users it tells that everything may
-- have changed. It never fails, so the statement and its transaction never do because of it: what is not told, wampgate finds
-- by asking again.
CREATE OR REPLACE FUNCTION wampgate_tell() RETURNS trigger
LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    touched CONSTANT text := CASE TG_OP
        WHEN 'INSERT' THEN 'SELECT %1$I AS id FROM wampgate_new'
        WHEN 'DELETE' THEN 'SELECT %1$I AS id FROM wampgate_old'
        ELSE 'SELECT %1$I AS id FROM wampgate_old UNION ALL SELECT %1$I FROM wampgate_new' END;
    -- The other table's rows that are gone by now have told of themselves.
    owners CONSTANT text := CASE WHEN TG_NARGS < 4 THEN '%1$s' ELSE
        'SELECT owner.%4$I AS id FROM (%1$s) AS keys JOIN %5$I.%2$I AS owner ON owner.%3$I = keys.id' END;
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
                'SELECT array_agg(id) FROM (SELECT DISTINCT id::text FROM (%s) AS touched'
                ' WHERE id IS NOT NULL LIMIT 101) AS users',
                format(
                    owners, format(touched, coalesce(TG_ARGV[0], 'user_id')),
                    TG_ARGV[1], TG_ARGV[2], TG_ARGV[3], TG_TABLE_SCHEMA)) INTO users;
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
