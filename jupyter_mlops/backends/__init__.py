"""Places: where schedulers and workers come from. `backends.get(place)` gives the one of that name."""
