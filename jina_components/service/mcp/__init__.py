"""The tools of Jina's public MCP server, over this service."""
