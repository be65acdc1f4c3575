"""Facts in, plain words out: what is wrong, who can mend it, and how."""
