"""HTTP without features: the application's frame, its guards, problem details and paging."""
