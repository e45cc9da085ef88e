"""What a hyperparameter search costs in energy, carbon, money and time, and what is wasted."""

__version__ = "0.1.0"
