"""What those who go round all portals ask of many at once."""
