"""Nobody imports this module; see ``finder.CANARY``."""
