"""What is said to a chat model that thinks for a search, and how its replies are read."""
