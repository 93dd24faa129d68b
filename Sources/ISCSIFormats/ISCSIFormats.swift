// ISCSIFormats: to be filled.
