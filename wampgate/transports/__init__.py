"""Connections: the first bytes decide, then WebSocket or HTTP."""
