"""The operators' site: metrics, readiness and the status page."""
