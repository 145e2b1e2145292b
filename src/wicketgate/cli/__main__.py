"""`python -m wicketgate.cli`."""

from wicketgate.cli.main import main

main()
