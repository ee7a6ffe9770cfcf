"""Rights to run the software: seats, what is signed about them, who holds them."""
