// SCSITarget: to be filled.
