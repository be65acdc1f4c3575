"""The SMTP entrance (RFC 6409): what an application submits goes into its portal's queue."""
