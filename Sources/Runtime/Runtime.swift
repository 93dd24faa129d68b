// Runtime: to be filled.
