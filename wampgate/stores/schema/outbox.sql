-- The transactional outbox, on Postgres 13 or later: what a backend inserts, wampgate publishes once it is committed.

-- What is to be published. A backend inserts topic, args and kwargs, in the transaction whose news it is; the rest is the router's.
CREATE TABLE IF NOT EXISTS wampgate_outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- in the order of inserting, which is not that of committing
    topic       text NOT NULL,                   -- where to publish: a URI
    args        jsonb NOT NULL DEFAULT '[]',     -- the positional arguments: an array
    kwargs      jsonb NOT NULL DEFAULT '{}',     -- the keyword arguments: an object
    publication bigint NOT NULL DEFAULT 1 + floor(random() * 9007199254740992)::bigint,  -- its id, the same on every router
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),  -- when it was inserted
    place       bigint UNIQUE                    -- its place in the order of publishing; NULL until a router has given it one
);

-- Finds the rows that no router has seen yet; it is empty most of the time.
CREATE INDEX IF NOT EXISTS wampgate_outbox_unplaced ON wampgate_outbox (id) WHERE place IS NULL;

-- How many places were given. It has one row, which the router that gives places locks.
CREATE TABLE IF NOT EXISTS wampgate_outbox_state (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),  -- there is no second row
    last   bigint NOT NULL DEFAULT 0,                     -- the last place that was given
    pruned bigint NOT NULL DEFAULT 0                      -- up to this place rows were removed for their age
);

-- How far each router has published.
CREATE TABLE IF NOT EXISTS wampgate_outbox_nodes (
    node     text PRIMARY KEY,                    -- the router's name: the key "node" of its bridge
    place    bigint NOT NULL,                     -- all rows up to this place are published there
    instance text NOT NULL,                       -- which process it is, as long as it runs
    seen_at  timestamptz NOT NULL DEFAULT now()   -- when it was last heard of
);

-- What can't be published, with the reason: rows whose topic no rule allows, or that are not as they have to be.
CREATE TABLE IF NOT EXISTS wampgate_outbox_dead (
    id          bigint NOT NULL,                     -- as in wampgate_outbox
    publication bigint NOT NULL,                     -- as there
    topic       text NOT NULL,                       -- as there
    args        jsonb NOT NULL,                      -- as there
    kwargs      jsonb NOT NULL,                      -- as there
    created_at  timestamptz NOT NULL,                -- as there
    reason      text NOT NULL,                       -- why it can't be published
    node        text NOT NULL,                       -- the router that found it out first
    dead_at     timestamptz NOT NULL DEFAULT now(),  -- when that was
    PRIMARY KEY (id, publication)                    -- each row once, however many routers there are
);

-- Finds those that have been there for long.
CREATE INDEX IF NOT EXISTS wampgate_outbox_dead_dead_at ON wampgate_outbox_dead (dead_at);

-- Wakes the routers when the transaction commits. It never fails, so the transaction never does because of it: what is not told,
-- routers find by looking every second.
CREATE OR REPLACE FUNCTION wampgate_outbox_wake() RETURNS trigger
LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- A full queue would make COMMIT fail, where nothing can catch it.
    IF pg_notification_queue_usage() < 0.5 THEN
        PERFORM pg_notify('wampgate_outbox', '');
    END IF;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$$;

-- Tells that something was inserted, once for each statement.
CREATE TRIGGER wampgate_outbox_wakes AFTER INSERT ON wampgate_outbox
FOR EACH STATEMENT EXECUTE FUNCTION wampgate_outbox_wake();
