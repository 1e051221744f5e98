"""HTTP for backends: publish and call by POST, as the principal whose token the request shows."""
