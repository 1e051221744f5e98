"""The servers under test: one file for each, all with the interface of ``interface.py``, listed in ``registry.py``."""
