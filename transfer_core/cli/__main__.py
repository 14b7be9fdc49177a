"""`python -m transfer_core.cli`: the command where it is not on the path."""

import sys

from transfer_core.cli import main

sys.exit(main())
