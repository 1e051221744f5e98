"""Writes those pages and pictures of the documentation that are made of the code: ``python -m docs.generating``."""
