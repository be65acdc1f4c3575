"""Builds the parts of a running Smarthost and owns their start and stop."""
