"""Chooses how much Hypothesis tries before the tests here are made."""

from __future__ import annotations

import unit.core.profiles  # noqa: F401 - loads the profile
