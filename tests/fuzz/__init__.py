"""Mutations of real files of every format, for a minute in each test run and for hours by hand.

``python -m tests.fuzz --hours 2`` runs for long and keeps what it finds.
"""
