"""The authmethods: one file each."""
