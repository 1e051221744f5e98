"""``python -m wampgate``: the same as the command ``wampgate``."""

import sys

from wampgate.commands.app import main

sys.exit(main())
