"""``python -m sesame``."""

from sesame.cli.main import main

main()
