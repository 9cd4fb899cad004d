"""Quality on real data with the field's metrics."""
