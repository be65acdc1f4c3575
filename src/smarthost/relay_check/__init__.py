"""The administrator's proof that mail goes out, by the same path that all mail takes."""
