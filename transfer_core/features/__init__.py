"""Features kept on disk, and heads fitted on them."""
