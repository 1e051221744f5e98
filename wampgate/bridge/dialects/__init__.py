"""What backends speak on Redis: one file and one rule for each dialect."""
