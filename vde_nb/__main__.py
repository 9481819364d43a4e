"""``python -m vde_nb`` is ``vde-nb``."""

import sys

from vde_nb.cli import main

sys.exit(main())
