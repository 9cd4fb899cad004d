"""Fine-tuning jobs: models fitted to the documents of a client, in a process beside the service."""
