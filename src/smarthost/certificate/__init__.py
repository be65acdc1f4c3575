"""The certificate that clients are shown: read, checked, and read anew when its files change."""
