"""`python -m treasurer.cli`: how the supervisor starts our own processes."""

from treasurer.cli.main import main

main()
