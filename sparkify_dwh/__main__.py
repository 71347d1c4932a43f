"""``python -m sparkify_dwh`` is ``sparkify``."""

from .cli.app import main

if __name__ == "__main__":
    main()
