"""Opens the store and gives reads and durable units of work; knows no table's meaning."""
