"""A pretend Shopify store: order bodies, signed deliveries, an Admin API. Knows no other part of the app."""
