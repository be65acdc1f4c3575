"""A package, since a fixture of package scope ends with the last test of its package.

While a browser is driven an event loop runs in the thread of the tests, and tests of other rooms
that bring a loop of their own could not run beside it.
"""
