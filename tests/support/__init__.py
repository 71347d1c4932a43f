"""What several tests share, named after what it holds. Fixtures are in fixtures.py."""
