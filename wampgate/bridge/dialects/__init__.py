"""What backends speak on Redis: one file for each dialect."""
