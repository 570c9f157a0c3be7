"""Builds single parts from the settings, for `bot.bootstrap`, which puts them together."""
