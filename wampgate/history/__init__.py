"""Where a realm's events are kept beyond the process: see :class:`wampgate.core.interfaces.HistoryStore`."""
