"""How often measuring tools find a gain where there is none, and one that is there."""
