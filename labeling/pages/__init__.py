"""The pages of labelers and reviewers."""
