"""The one way in for a picture."""
