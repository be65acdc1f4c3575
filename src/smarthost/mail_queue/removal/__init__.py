"""What goes, once nobody needs it any more."""
