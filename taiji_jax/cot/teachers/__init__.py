"""Teachers: templates, a local checkpoint, or a model behind an endpoint."""
