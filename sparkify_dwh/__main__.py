"""``python -m sparkify_dwh`` is ``sparkify``."""

from .cli import main

if __name__ == "__main__":
    main()
