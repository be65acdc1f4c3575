"""One attempt to hand envelopes to one relay: told as steps, ended as an outcome per recipient."""
