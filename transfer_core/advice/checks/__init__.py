"""What can be wrong with pictures: one file around one idea, each with its checks and their sentences."""
