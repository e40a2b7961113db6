"""The money of every mechanism: an ERC-20 token in µEUR."""
