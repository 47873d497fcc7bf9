"""Tests of the procedural rooms."""
