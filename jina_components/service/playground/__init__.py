"""The playground: every product in a browser, with examples, drawn results and the request as code."""

STREAM = "/gradio_api/queue/data"
"""Where the page hears what goes on: it is open for as long as something does."""
