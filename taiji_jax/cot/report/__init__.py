"""What a data set of reasoning texts holds, as numbers, figures and a page."""
