"""Offline PyTorch training: a SuperNet, its accuracy predictor, and their publication."""
