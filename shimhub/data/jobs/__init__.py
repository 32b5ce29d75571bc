"""Work over blocks: planned, marked, resumed, merged; the same for any runner."""
