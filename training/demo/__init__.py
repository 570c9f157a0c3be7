"""See it learn without a GPU: a tiny base, a creator with written-down tastes, two good nights and two broken ones.

shop, styles   the texts: what is sold and asked, and how replies may sound
base           a model of a million parameters, trained from scratch on them
tastes         what the creator likes; no model ever sees it
creator, days  her verdicts on a day's drafts, written into a real ledger
nights         the real night on each day, and the hidden taste before and after
world          the same world by itself, for benchmarks
"""
