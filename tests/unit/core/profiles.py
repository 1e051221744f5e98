"""How much Hypothesis tries: HYPOTHESIS_PROFILE is "ci" (the default) or "nightly"."""

from __future__ import annotations

import os
from typing import Any, Final

from hypothesis import HealthCheck, settings

# No deadline per example: the machine is shared, and a slow moment is no error.
COMMON: Final[dict[str, Any]] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
PROFILE: Final = os.environ.get("HYPOTHESIS_PROFILE", "ci")

settings.register_profile("ci", max_examples=100, stateful_step_count=50, **COMMON)
settings.register_profile("nightly", max_examples=3000, stateful_step_count=100, **COMMON)
settings.load_profile(PROFILE)
