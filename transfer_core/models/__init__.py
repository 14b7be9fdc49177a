"""The model folder and prediction from it."""
