"""What decides who may do what: organization memberships and static rules."""
