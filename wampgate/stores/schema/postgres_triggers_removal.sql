-- Takes away what postgres_tell.sql and the triggers install; from then on wampgate finds changes only by asking again.

-- With the function go all triggers that call it, on whatever tables they are.
DROP FUNCTION IF EXISTS wampgate_tell() CASCADE;
