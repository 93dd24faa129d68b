// SCSIFormats: to be filled.
