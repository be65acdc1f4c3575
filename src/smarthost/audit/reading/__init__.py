"""The audit as the operator reads it: of all portals, or of one."""
