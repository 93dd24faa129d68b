// Pair: to be filled.
