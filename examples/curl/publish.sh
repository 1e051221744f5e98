#!/bin/sh
# Publishes one piece of news with curl: publish.sh URL TOKEN ORGANIZATION TEXT (the text without quotation marks).
# The key makes it safe to run the same command again when it is not known whether it got through.
set -eu
if [ $# -lt 4 ]; then
    echo "usage: publish.sh URL TOKEN ORGANIZATION TEXT [IDEMPOTENCY-KEY]" >&2
    exit 2
fi
key="${5:-$(date +%s)-$$}"

curl --silent --show-error --fail-with-body --max-time 10 --retry 3 --retry-connrefused \
    --header "Authorization: Bearer $2" \
    --header "Content-Type: application/json" \
    --header "Idempotency-Key: $key" \
    --data "{\"topic\": \"organization.$3\", \"args\": [\"$4\"]}" \
    "$1/publish"
echo
