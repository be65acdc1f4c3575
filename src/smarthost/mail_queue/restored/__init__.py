"""What becomes of the queue of a database that comes out of a back-up."""
