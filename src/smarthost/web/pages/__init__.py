"""The administrator's pages: a client of the table of operations that answers in HTML."""
