"""The end points under /emails: Resend's API, so that its official clients work with this."""
