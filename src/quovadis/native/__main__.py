"""Compile the kernels: `python -m quovadis.native`."""

import sys

from quovadis.native.build import main

sys.exit(main())
