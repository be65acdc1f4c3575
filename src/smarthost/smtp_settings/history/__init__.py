"""The revisions of a portal's settings that were in force before."""
