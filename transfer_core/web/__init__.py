"""Routes of our own on the address of the pages, and who may use that address at all."""
