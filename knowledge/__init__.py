"""The creator's documents: loaded, split into passages, indexed, and searched."""
