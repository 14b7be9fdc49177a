"""Settings, plans and the training loop."""
