"""router.json: its typed model and its loading."""

from wampgate.config.demo import demo_configuration
from wampgate.config.errors import ConfigurationError, Problem
from wampgate.config.loading import load
from wampgate.config.model import Configuration
from wampgate.config.secret import Secret
from wampgate.config.section import changed, redacted

__all__ = [
    "Configuration",
    "ConfigurationError",
    "Problem",
    "Secret",
    "changed",
    "demo_configuration",
    "load",
    "redacted",
]
