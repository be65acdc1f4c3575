"""What workers that are no more have left in the middle."""
