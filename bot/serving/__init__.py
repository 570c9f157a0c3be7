"""Servers of a model: asking several as one, their voices, their errors in our words."""
