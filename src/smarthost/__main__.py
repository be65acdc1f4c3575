"""Makes `python -m smarthost` the same as the command `smarthost`."""

from smarthost.cli import main

if __name__ == "__main__":
    main()
