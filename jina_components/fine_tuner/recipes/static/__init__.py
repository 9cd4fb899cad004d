"""Parts of the recipe of the static table."""
