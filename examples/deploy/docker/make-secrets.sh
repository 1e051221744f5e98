#!/bin/sh
# Makes random secrets in secrets/, for compose.yaml; those that are there stay.
set -eu
cd "$(dirname "$0")"

# Whoever may not enter the folder can't read what is in it; in a container, one file alone is shown to its user.
mkdir -p secrets
chmod 700 secrets

for name in postgres-owner-password postgres-password redis-password backend-ticket operator-ticket; do
    if [ ! -s "secrets/$name" ]; then
        head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' > "secrets/$name"
        chmod 644 "secrets/$name"
        echo "made secrets/$name"
    fi
done
