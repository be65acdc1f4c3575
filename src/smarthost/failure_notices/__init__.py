"""What became of mail that came by SMTP, told to its sender by mail: RFC 3461 and RFC 3464."""
