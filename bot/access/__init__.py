"""Who may do what: people, their roles, and how a request proves whose it is."""
