"""Benchmarks: what an event, a call, a join and an idle connection cost a server, beside the least they can cost."""
