"""The section ``audit`` of router.json: where the audit log is kept, and how much of it."""

from typing import Annotated

from msgspec import Meta

from wampgate.config.section import Section
from wampgate.config.values import Count, StorePath

Rotation = Annotated[int, Meta(ge=2**16, le=2**40, description="a number of bytes from 65536 to 1099511627776")]


class Audit(Section, frozen=True, kw_only=True):
    """Where it is kept who came in, who was refused what, and what operators did; ``docs/audit.md``.

    Attributes:
        file: JSON lines are appended to it; relative to router.json's folder. Its folder has to be there.
        rotate_bytes: null where logrotate takes care of it; or the size at which the router itself begins a new file.
        keep: of the files that the router itself has rotated, so many are kept.
    """

    file: StorePath
    rotate_bytes: Rotation | None = None
    keep: Count = 10
