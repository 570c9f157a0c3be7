"""Platform adapters: each fetches comments from one platform and sends replies to it, and does nothing else."""
