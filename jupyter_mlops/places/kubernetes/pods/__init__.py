"""Makes and removes workers' pods for the controller, and tells it what becomes of them."""
