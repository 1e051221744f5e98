"""The router's own procedures, one file each; every one acts with the rights of its caller."""
