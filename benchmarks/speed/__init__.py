"""How fast the components are, against their peers."""
