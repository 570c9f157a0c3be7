"""Versions of the LoRA weights: their files, who answers which comment, keeping servers in step with the registry."""
