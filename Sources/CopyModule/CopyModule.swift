// CopyModule: to be filled.
