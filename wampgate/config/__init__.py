"""router.json: its typed model and its loading."""
