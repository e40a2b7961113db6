"""Gas of every method of every contract, in whole transactions, on any engine."""
