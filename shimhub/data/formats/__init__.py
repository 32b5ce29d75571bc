"""How each format is read: Parquet, Arrow, JSON, CSV, text, and what is around them."""
