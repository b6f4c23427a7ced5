"""A pretend Saleor: its orders, its keys, its API, its deliveries. Knows nothing of the app it judges."""
