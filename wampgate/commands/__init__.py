"""The command line ``wampgate``: one file per command; the adapters that they use are loaded when a command is."""
