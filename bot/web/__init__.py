"""The status page, /healthz and /metrics. Nothing here changes anything."""
