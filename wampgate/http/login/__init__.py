"""Session cookies over HTTP: a login makes one of a bearer token, a logout ends it."""
