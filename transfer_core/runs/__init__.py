"""Runs: a training is a folder and a process; whoever shows it only reads the folder."""
