"""Makes what a configuration describes, section by section: here the concrete classes are named."""
