#!/bin/sh
# Run once by a new Postgres: makes the role that the router reads with. Its tables come later, by `wampgate init`.
set -eu

# The password comes by standard input, as all of this: a command line is seen by everyone on the machine.
psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --username=postgres --dbname="$POSTGRES_DB" <<SQL
CREATE ROLE wampgate LOGIN PASSWORD '$(cat "${WAMPGATE_PASSWORD_FILE:-/run/secrets/postgres-password}")';
ALTER ROLE wampgate SET default_transaction_read_only = on;
ALTER ROLE wampgate SET statement_timeout = '3s';
ALTER ROLE wampgate CONNECTION LIMIT 20;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO wampgate;
SQL
