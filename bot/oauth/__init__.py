"""How a person lets Rejoinder act for an account: what is asked, and what the platform answers."""
