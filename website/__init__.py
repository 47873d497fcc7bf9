"""What ``mkdocs build`` generates: reference pages, and pages of files of the repository."""
