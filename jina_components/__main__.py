"""`python -m jina_components` is the `jina-components` command."""

import sys

from jina_components.cli import main

sys.exit(main())
