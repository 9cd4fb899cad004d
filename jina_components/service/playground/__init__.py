"""The playground: every product in a browser, with examples, drawn results and the request as code."""
