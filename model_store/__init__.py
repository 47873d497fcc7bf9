"""The contract between training and serving: published models and all that is done with one."""
