"""wampgate: a WAMP router and authentication component on Autobahn and Twisted."""

__version__ = "0.1.0"
