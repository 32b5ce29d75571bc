"""Rows for training loops: dealt to ranks and workers, shuffled, and begun again anywhere."""
