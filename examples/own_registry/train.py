"""Fit a line by gradient descent; written for NumPy 1, where ``np.float_`` was a name."""

import numpy as np

STEPS, RATE = 200, 0.1


def main() -> None:
    """Print the fitted slope and intercept of y = 3x + 1."""
    x = np.linspace(-1, 1, 64).astype(np.float_)
    y = 3 * x + 1
    slope, intercept = np.float_(0), np.float_(0)
    for _ in range(STEPS):
        error = slope * x + intercept - y
        slope -= RATE * (2 * error * x).mean()
        intercept -= RATE * (2 * error).mean()
    print(f"slope {slope:.3f} intercept {intercept:.3f}")


if __name__ == "__main__":
    main()
