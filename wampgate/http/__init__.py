"""What is served over plain HTTP: the page."""
