"""Keeps accepted mail until every recipient has its outcome; stores facts, no sentences."""
