"""What an operator sees of a running router: metrics, health, status, audit, usage."""
