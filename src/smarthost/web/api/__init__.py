"""The end points of the JSON contract, one module a subject."""
