"""Pure helpers that components share; numpy at most."""
