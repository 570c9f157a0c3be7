"""The status page, /healthz and /metrics; on a loopback address also translations, the digest and trials.

Nothing here answers anyone: the one thing that is kept is a translation.
"""
