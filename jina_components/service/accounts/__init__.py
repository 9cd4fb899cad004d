"""Keys, whose they are, and the ledger of what they were granted and charged."""
