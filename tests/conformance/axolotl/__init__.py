"""axolotl's own unit tests, with the pack and without it, compared test by test."""
