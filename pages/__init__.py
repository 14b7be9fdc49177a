"""The pages: thin scripts over `transfer_core`."""
