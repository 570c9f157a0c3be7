"""The night: learn from the day's verdicts, prove it, promote it or refuse it.

    snapshot → fine-tune → reward → PPO → evaluate → promote

Runs as a process of its own (`rejoinder train`); the service never imports it. Reads and writes the ledger and files
below `data_dir`, nothing else of the service.
"""
