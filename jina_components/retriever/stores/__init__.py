"""Where vectors are kept, one engine a file."""
