"""Numerical tools that more than one room needs, written to the array namespace of their input."""
