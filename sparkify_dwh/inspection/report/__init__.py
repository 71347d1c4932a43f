"""One self-contained HTML page about a warehouse: runs, books, refusals, rules, star, schema."""
