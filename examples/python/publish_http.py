"""Publishes one piece of news over HTTP with plain Python: python publish_http.py URL TOKEN ORGANIZATION TEXT."""

import json
import sys
import time
import uuid
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen


def wampgate(url, token, route, body):
    """Ask wampgate for something, and ask again if no answer came: the key makes that harmless."""
    request = Request(
        url + route,
        data=json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Idempotency-Key": str(uuid.uuid4()),
        },
    )
    for attempt in (1, 2, 3):
        try:
            with urlopen(request, timeout=10) as response:
                return json.load(response)
        except HTTPError as error:
            problem = json.load(error)
            raise SystemExit(f"{problem['status']} {problem['title']}: {problem['detail']}") from None
        except (URLError, TimeoutError) as error:
            if attempt == 3:
                raise SystemExit(f"no answer from {url}: {error}") from None
            time.sleep(attempt)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit("usage: python publish_http.py URL TOKEN ORGANIZATION TEXT")
    url, token, organization, text = sys.argv[1:]
    published = wampgate(url, token, "/publish", {"topic": f"organization.{organization}", "args": [text]})
    print(f"published as {published['publication']}")
