"""The sample table, the doors pictures come in by, splits."""
