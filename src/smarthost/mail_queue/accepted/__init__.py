"""What was accepted, and what people see of it and do with it."""
