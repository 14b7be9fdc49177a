"""Pretrained networks, their weights, stages and graphs."""
