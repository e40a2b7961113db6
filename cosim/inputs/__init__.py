"""Files that users write: text, YAML and CSV, read strictly, each fault named by its line."""
