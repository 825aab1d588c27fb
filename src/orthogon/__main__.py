"""`python -m orthogon` is the command `orthogon`."""

from orthogon.cli.main import main

if __name__ == "__main__":
    main()
