"""HTTP: one file per resource. Endpoints read requests and write responses, nothing else."""
