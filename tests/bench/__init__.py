"""Benchmarks: `make bench`, or `python -m tests.bench.NAME`. Each prints a table, then one line of JSON."""
