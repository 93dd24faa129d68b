// Simulation: to be filled.
