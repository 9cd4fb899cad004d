"""Models: what is known of them, where their files are, how they load and run."""
