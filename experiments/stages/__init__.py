"""The stages of the main job: each turns products into a product."""
