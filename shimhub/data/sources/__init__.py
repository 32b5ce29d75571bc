"""What the user named, as files: found, told apart, and never more than was named."""
