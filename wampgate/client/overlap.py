"""Whether two patterns of topics may have a topic in common."""

from __future__ import annotations


def overlap(topic: str, match: str, other_topic: str, other_match: str) -> bool:
    """Whether an URI may match both; yes where it is not worth the while to tell.

    Args:
        topic: a URI, or a pattern.
        match: ``exact``, ``prefix`` or ``wildcard``.
        other_topic: likewise.
        other_match: likewise.
    """
    matches = {match, other_match}
    if matches == {"exact"}:
        return topic == other_topic
    if "wildcard" not in matches:
        # What is exact can't go on behind its end.
        return (topic.startswith(other_topic) and other_match == "prefix") or (
            other_topic.startswith(topic) and match == "prefix"
        )
    if "prefix" in matches:
        return True
    ours, theirs = topic.split("."), other_topic.split(".")
    return len(ours) == len(theirs) and all(
        one == two or not (one and two) for one, two in zip(ours, theirs, strict=True)
    )
