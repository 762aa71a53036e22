"""The ID tower: its features, training loss, scores, table and metrics."""
