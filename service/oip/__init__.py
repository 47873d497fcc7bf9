"""The Open Inference Protocol, version 2 (KServe, Triton): tensors in, tensors out.

A sub-network is a version of its model. https://github.com/kserve/open-inference-protocol
"""
