"""What is served over plain HTTP: the page and the liveness answer."""
