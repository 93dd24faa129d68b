// Devices: to be filled.
