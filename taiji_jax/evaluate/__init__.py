"""Metrics of answers, floors, intervals, results and reports."""
