"""The database: connections, transactions and migrations. Knows no feature's tables."""
