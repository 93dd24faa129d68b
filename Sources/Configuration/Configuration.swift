// Configuration: to be filled.
