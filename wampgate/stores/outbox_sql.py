"""The statements that an outbox's table is asked with; each runs alone, in one transaction of its own.

How the order comes about. A row's ``id`` tells when it was inserted, not when it was committed, so
"all beyond the last id" would pass over a row whose transaction commits late. Therefore rows get a
*place* once they are visible: under the lock on the state's one row, all visible rows without a
place get the next ones, in the order of their ids. Places become visible in their own order, so
"all beyond the last place" misses nothing, and all routers see the same order.

It is the order of commits wherever one transaction could have seen the other: what it saw had a smaller
id (the sequence has no cache) and was visible no later, whatever the transactions' numbers are. Rows
that someone has locked by hand are passed over until they are free, and nobody waits for them.
"""

from __future__ import annotations

from typing import Final

CHANNEL: Final = "wampgate_outbox"
LISTEN: Final = f"LISTEN {CHANNEL}"

# Makes the state's row if it is missing. Should somebody have removed it, no place is given twice.
MAKE_STATE: Final = """
INSERT INTO wampgate_outbox_state (last)
SELECT greatest(
    (SELECT coalesce(max(place), 0) FROM wampgate_outbox), (SELECT coalesce(max(place), 0) FROM wampgate_outbox_nodes))
ON CONFLICT DO NOTHING RETURNING last
"""

NODE: Final = """
SELECT place, extract(epoch FROM seen_at)::float8 FROM wampgate_outbox_nodes WHERE node = %(node)s
"""

# A process that begins takes the name over; one that was displaced only when nobody has used it for a while.
JOIN: Final = """
INSERT INTO wampgate_outbox_nodes AS mine (node, place, instance)
SELECT %(node)s, CASE WHEN %(oldest)s::boolean THEN pruned ELSE last END, %(instance)s FROM wampgate_outbox_state
ON CONFLICT (node) DO UPDATE SET instance = excluded.instance, seen_at = now()
WHERE %(begins)s::boolean OR mine.instance = excluded.instance
    OR mine.seen_at < now() - make_interval(secs => %(abandoned)s::float8)
RETURNING place
"""

_LOOK: Final = """
SELECT last, pruned, pg_catalog.pg_postmaster_start_time()::text,
    EXISTS (SELECT FROM wampgate_outbox WHERE place IS NULL)
FROM wampgate_outbox_state
"""

LOOK: Final = _LOOK

GIVE_PLACES: Final = f"""
SELECT FROM wampgate_outbox_state FOR UPDATE;
WITH fresh AS MATERIALIZED (
    SELECT id FROM wampgate_outbox WHERE place IS NULL ORDER BY id LIMIT %(count)s::int FOR UPDATE SKIP LOCKED
), numbered AS (
    SELECT id, row_number() OVER (ORDER BY id) AS number FROM fresh
), placed AS (
    UPDATE wampgate_outbox AS row SET place = state.last + numbered.number
    FROM numbered, wampgate_outbox_state AS state WHERE row.id = numbered.id
    RETURNING row.place
)
UPDATE wampgate_outbox_state SET last = (SELECT max(place) FROM placed) WHERE EXISTS (SELECT FROM placed);
{_LOOK}
"""  # noqa: S608 - put together of this file's constants

_ROWS: Final = """
    SELECT row.place, row.id, row.publication, left(row.topic, %(topic)s::int) AS topic, text.args, text.kwargs,
        octet_length(text.args)::bigint + octet_length(text.kwargs) AS size,
        extract(epoch FROM row.created_at)::float8 AS at
    FROM wampgate_outbox AS row
    -- OFFSET 0: it is written out once, not wherever it is used.
    CROSS JOIN LATERAL (SELECT row.args::text AS args, row.kwargs::text AS kwargs OFFSET 0) AS text
"""

_SHOWN: Final = """
SELECT place, id, publication, topic,
    CASE WHEN size <= %(most)s::bigint THEN args END, CASE WHEN size <= %(most)s::bigint THEN kwargs END, at
"""

# As many rows as come to so many bytes together, but at least one. What is too large for an event stays there.
PORTION: Final = f"""
{_SHOWN} FROM (
    SELECT *, sum(size) OVER (ORDER BY place) - size AS before FROM ({_ROWS}
        WHERE row.place > %(place)s::bigint ORDER BY row.place LIMIT %(count)s::int
    ) AS rows
) AS summed
WHERE before < %(bytes)s::bigint ORDER BY place
"""  # noqa: S608 - as above

# The same backwards from a place, that one included.
TAIL: Final = f"""
{_SHOWN} FROM (
    SELECT *, sum(size) OVER (ORDER BY place DESC) - size AS before FROM ({_ROWS}
        WHERE row.place <= %(place)s::bigint ORDER BY row.place DESC LIMIT %(count)s::int
    ) AS rows
) AS summed
WHERE before < %(bytes)s::bigint ORDER BY place DESC
"""  # noqa: S608 - as above

# Where the next row is, if it can't be read.
NEXT: Final = """
SELECT place, id FROM wampgate_outbox WHERE place > %(place)s::bigint ORDER BY place LIMIT 1
"""

PASSED: Final = """
UPDATE wampgate_outbox_nodes SET place = %(place)s::bigint, seen_at = now()
WHERE node = %(node)s AND instance = %(instance)s RETURNING place
"""

BURY: Final = """
INSERT INTO wampgate_outbox_dead (id, publication, topic, args, kwargs, created_at, reason, node)
SELECT row.id, row.publication, row.topic, row.args, row.kwargs, row.created_at, dead.reason, %(node)s
FROM unnest(%(ids)s::bigint[], %(reasons)s::text[]) AS dead (id, reason) JOIN wampgate_outbox AS row ON row.id = dead.id
ON CONFLICT DO NOTHING RETURNING id
"""

# A router that was not heard of for as long as rows are kept holds none back; if it comes again, its clients are told.
PRUNE: Final = """
SELECT FROM wampgate_outbox_state FOR UPDATE;
WITH passed AS (
    SELECT min(place) AS place FROM wampgate_outbox_nodes
    WHERE seen_at > now() - make_interval(secs => %(kept)s::float8)
), oldest AS (
    SELECT id, place, created_at FROM wampgate_outbox WHERE place IS NOT NULL ORDER BY place LIMIT %(count)s::int
), gone AS (
    DELETE FROM wampgate_outbox AS row USING oldest, passed
    WHERE row.id = oldest.id AND oldest.place <= passed.place
        AND oldest.created_at < now() - make_interval(secs => %(kept)s::float8)
    RETURNING row.place
), noted AS (
    UPDATE wampgate_outbox_state SET pruned = greatest(pruned, (SELECT max(place) FROM gone))
    WHERE EXISTS (SELECT FROM gone)
)
SELECT count(*) FROM gone
"""

PRUNE_DEAD: Final = """
WITH gone AS (
    DELETE FROM wampgate_outbox_dead AS row USING (
        SELECT id, publication FROM wampgate_outbox_dead
        WHERE dead_at < now() - make_interval(secs => %(kept)s::float8) ORDER BY dead_at LIMIT %(count)s::int
    ) AS oldest
    WHERE row.id = oldest.id AND row.publication = oldest.publication
    RETURNING row.id
)
SELECT count(*) FROM gone
"""
