// Memory: to be filled.
