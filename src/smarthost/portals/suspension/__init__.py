"""Suspending a portal: nobody gets in, nothing goes out, and nothing is lost."""
