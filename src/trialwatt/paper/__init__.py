"""The paper: its numbers as one file, and the PDF made of them and of the figures."""
