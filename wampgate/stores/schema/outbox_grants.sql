-- What the outbox's roles need and no more; {router} and {backend} stand for their names.

-- The router reads, gives places and removes what is old. It can't change what is published.
GRANT SELECT, UPDATE (place), DELETE ON wampgate_outbox TO {router};

-- The router counts the places.
GRANT SELECT, INSERT, UPDATE ON wampgate_outbox_state TO {router};

-- The router notes how far it has published.
GRANT SELECT, INSERT, UPDATE ON wampgate_outbox_nodes TO {router};

-- The router lays aside what can't be published.
GRANT SELECT, INSERT, DELETE ON wampgate_outbox_dead TO {router};

-- The backend inserts, and neither reads nor changes anything.
GRANT INSERT (topic, args, kwargs) ON wampgate_outbox TO {backend};
