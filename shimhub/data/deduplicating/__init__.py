"""Exact and near duplicates: stages of the job, and what they write."""
