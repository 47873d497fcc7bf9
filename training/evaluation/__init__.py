"""Evaluation of a trained SuperNet, or of a published model, in the paper's tables and figures."""
