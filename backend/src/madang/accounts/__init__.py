"""Accounts: users, passwords and sessions."""
