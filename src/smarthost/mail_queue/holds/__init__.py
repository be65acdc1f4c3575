"""A portal whose relay takes no mail at all just now waits as a whole, and loses none."""
