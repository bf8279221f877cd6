"""The pages of trainers, and the operators' System page."""
