"""`python -m quovadis`: the command line."""

from quovadis.cli import main

if __name__ == "__main__":
    main()
