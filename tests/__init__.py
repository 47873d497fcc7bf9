"""Tests of slimdial."""
