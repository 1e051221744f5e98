"""Routing without input or output: imports neither Twisted nor Autobahn nor any adapter."""
