"""Bytes to WAMP messages and back; knows no session, no Twisted and no Autobahn."""
