"""A linear classifier of scikit-learn, whose gradients nobody can ask for."""
