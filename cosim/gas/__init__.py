"""What every method of every contract costs, in gas of whole transactions, on any engine."""
