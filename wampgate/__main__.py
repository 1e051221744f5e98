"""``python -m wampgate``: the same as the command ``wampgate``."""

import sys

from wampgate.cli import main

sys.exit(main())
